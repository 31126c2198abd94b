#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "h5/attributes.hpp"
#include "h5/h5_sinks.hpp"
#include "h5/hdf5_file.hpp"

namespace longhaul::h5 {
namespace {

using export_room::Cell;
using export_room::NameKey;
using export_room::TableRow;
using export_room::TableSchema;

constexpr const char* kOriginalId = "original_id";

std::size_t column_at(const TableSchema& schema, const char* name) {
  const auto found = std::ranges::find(schema.columns, name, &export_room::Column::name);
  if (found == schema.columns.end()) {
    throw std::logic_error(std::string("the table has no column ") + name);
  }
  return static_cast<std::size_t>(found - schema.columns.begin());
}

std::string_view text_of(const Cell& cell) {
  return std::get<std::string_view>(cell);
}

class RecordSink : public export_room::TableSink {
 public:
  explicit RecordSink(const export_room::H5Target& target)
      : schema_(*target.schema),
        key_(target.key),
        row_(column_at(schema_, "row")),
        id_(column_at(schema_, "id")),
        hash_(column_at(schema_, "hash")),
        file_(*target.files, *target.path) {
    choose_attributes();
    file_.guarded([&] {
      creation_ = Handle(H5Pcreate(H5P_DATASET_CREATE), &H5Pclose, "a creation list");
      require(H5Pset_obj_track_times(creation_.id(), 0), "a creation list");
      require(H5Pset_fill_time(creation_.id(), H5D_FILL_TIME_NEVER), "a creation list");
      // With each dataset, however many there are: a place of their own would take a few KiB more.
      require(H5Pset_attr_phase_change(creation_.id(), UINT16_MAX, 0), "a creation list");
      links_ = Handle(H5Pcreate(H5P_LINK_CREATE), &H5Pclose, "a creation list");
      require(H5Pset_char_encoding(links_.id(), H5T_CSET_UTF8), "a creation list");
      put_text(file_.id(), "longhaul", schema_.metadata);
      put_text(file_.id(), "array", schema_.vectors.at(0).name);
    });
  }

  void add(const TableRow& row) override {
    const std::uint64_t number = std::get<std::uint64_t>(row.cells[row_]);
    const std::string_view id = text_of(row.cells[id_]);
    const auto words = [&](const std::string& column) {
      return "row " + std::to_string(number) + ", column " + column;
    };
    require_text(id, words("id"));
    for (const auto& [column, name] : texts_) {
      require_text(text_of(row.cells[column]), words(name));
    }
    const std::string name =
        export_room::dataset_name(key_ == NameKey::kId ? id : text_of(row.cells[hash_]));
    file_.guarded([&] {
      const Handle dataset = put_vectors(name, row.vectors[0]);
      put_text(dataset.id(), kOriginalId, id);
      put_count(dataset.id(), "row", number);
      for (const auto& [column, attribute] : texts_) {
        put_text(dataset.id(), attribute.c_str(), text_of(row.cells[column]));
      }
    });
  }

  void finish() override {
    links_ = Handle();
    creation_ = Handle();
    file_.finish();
  }

 private:
  void choose_attributes() {
    std::vector<std::string> taken{kOriginalId, "row"};
    for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
      const export_room::Column& column = schema_.columns[i];
      if (!column.kept && !(column.name == "status" && schema_.vectors_may_be_missing)) {
        continue;
      }
      std::string name = column.name;
      while (std::ranges::find(taken, name) != taken.end()) {
        name.insert(0, "input.");
      }
      taken.push_back(name);
      texts_.emplace_back(i, std::move(name));
    }
  }

  Handle put_vectors(const std::string& name,
                     const std::optional<std::span<const float>>& values) const {
    const Handle space = space_of(values);
    Handle dataset(H5Dcreate2(file_.id(), name.c_str(), H5T_IEEE_F32LE, space.id(), links_.id(),
                              creation_.id(), H5P_DEFAULT),
                   &H5Dclose, "a dataset");
    if (values && !values->empty()) {
      require(
          H5Dwrite(dataset.id(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values->data()),
          "a vector");
    }
    return dataset;
  }

  Handle space_of(const std::optional<std::span<const float>>& values) const {
    if (!values) {
      return {H5Screate(H5S_NULL), &H5Sclose, "a dataspace"};
    }
    const export_room::VectorColumn& column = schema_.vectors[0];
    const hsize_t residues[] = {values->size() / column.dimension, column.dimension};
    const hsize_t numbers[] = {values->size()};
    const bool tokens = column.kind == ArrayKind::kTokens;
    return {H5Screate_simple(tokens ? 2 : 1, tokens ? residues : numbers, nullptr), &H5Sclose,
            "a dataspace"};
  }

  TableSchema schema_;
  NameKey key_;
  std::size_t row_;
  std::size_t id_;
  std::size_t hash_;
  std::vector<std::pair<std::size_t, std::string>> texts_;  // columns, and their attributes
  Hdf5File file_;
  Handle creation_;
  Handle links_;
};

}  // namespace

std::unique_ptr<export_room::TableSink> record_sink(const export_room::H5Target& target) {
  return std::make_unique<RecordSink>(target);
}

}  // namespace longhaul::h5
