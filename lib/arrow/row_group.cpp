#include "arrow/row_group.hpp"

namespace longhaul::arrow_room {

arrow::Result<bool> RowGroup::read_batch(const std::vector<std::string>& names,
                                         const input::Columns& columns) {
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    ARROW_RETURN_NOT_OK(batches_->ReadNext(&batch));
    if (!batch) {
      return false;
    }
    if (batch->num_rows() > 0) {
      use(*batch, names, columns);
      return true;
    }
  }
}

void RowGroup::use(const arrow::RecordBatch& batch, const std::vector<std::string>& names,
                   const input::Columns& columns) {
  rows_ = batch.num_rows();
  row_ = 0;
  const auto column = [&](std::size_t index) {
    return TextColumn(batch.GetColumnByName(names[index]));
  };
  sequences_.emplace(column(columns.sequence));
  ids_.reset();
  if (columns.id) {
    ids_.emplace(column(*columns.id));
  }
  kept_.clear();
  for (const auto& kept : columns.kept) {
    kept_.push_back(kept ? std::optional(column(*kept)) : std::nullopt);
  }
}

}  // namespace longhaul::arrow_room
