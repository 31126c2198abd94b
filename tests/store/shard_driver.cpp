#include "store/shard_driver.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <span>

#include "base/hash.hpp"

namespace longhaul::store::test {
namespace {

bool is_rejected(std::uint64_t position) {
  return position % 7 == 3;
}

// What a record's vector follows from.
std::string content_of(const DealtPlan& plan, std::uint64_t position) {
  return std::to_string(original_of(plan, position).value_or(position));
}

std::vector<float> numbers_of(const DealtPlan& plan, std::uint64_t position, std::size_t count) {
  std::vector<float> vector(count);
  for (std::size_t i = 0; i < vector.size(); ++i) {
    const std::uint64_t bits = hash64(content_of(plan, position) + "/" + std::to_string(i));
    vector[i] = static_cast<float>(bits % 2000003) / 1000.0F - 1000.0F;
  }
  return vector;
}

RecordRow record_row(const DealtPlan& plan, std::uint64_t position, bool judged) {
  RecordRow row;
  row.position = position;
  row.id = "id " + std::to_string(position) + (position % 4 == 0 ? ",\"quoted\"\n" : "");
  row.source = "in.csv";
  row.line = position + 2;
  row.length = static_cast<std::uint32_t>(position * 13 % 50);
  row.hash = hash128(content_of(plan, position));
  row.kept = std::vector<std::string>(plan.layout.kept_columns.size(), "kept, too");
  if (is_rejected(position)) {
    row.status = Status::kRejected;
    row.defect = Defect{Reason::kInvalidCharacter, "'?' at 3, with, commas"};
  } else if (judged && original_of(plan, position)) {
    row.status = Status::kDuplicate;
    row.duplicate_of = original_of(plan, position);
  }
  return row;
}

std::uint32_t residues_of(const DealtPlan& plan, std::uint64_t position) {
  const std::uint64_t content = original_of(plan, position).value_or(position);
  return is_rejected(position) ? 0 : static_cast<std::uint32_t>(content * 7 % 5);
}

void put_window(EmbeddingStore& store, const DealtPlan& plan, std::span<const RecordRow> rows) {
  std::vector<std::uint32_t> residues;
  for (const RecordRow& row : rows) {
    residues.push_back(residues_of(plan, row.position));
  }
  store.place_window(rows.front().row, residues);
  for (const RecordRow& row : rows) {
    if (row.status == Status::kRejected) {
      continue;
    }
    std::vector<std::vector<float>> values;
    for (const OutputSpec& output : plan.layout.outputs) {
      const std::size_t vectors =
          output.kind == ArrayKind::kTokens ? residues_of(plan, row.position) : 1;
      values.push_back(numbers_of(plan, row.position, vectors * output.dimension));
    }
    const std::vector<std::span<const float>> spans(values.begin(), values.end());
    if (!store.put(row.row, spans)) {
      std::abort();
    }
  }
}

void write_run(Files& files, const std::string& directory, const DealtPlan& plan,
               const std::vector<std::uint64_t>& positions, const nlohmann::json& begin,
               bool judged) {
  const auto out = open_store(files, directory);
  const auto store = out->begin(plan.layout, begin);
  std::vector<RecordRow> rows;
  for (std::uint64_t i = 0; i < positions.size(); ++i) {
    RecordRow row = record_row(plan, positions[i], judged);
    row.row = i;
    rows.push_back(std::move(row));
  }
  // In two windows, so that the tables are claimed by two commits.
  const std::size_t half = rows.size() / 2;
  Progress progress;
  for (const auto& window : {std::span(rows).first(half), std::span(rows).subspan(half)}) {
    if (!window.empty()) {
      put_window(*store, plan, window);
      store->complete_window(window);
      ++progress.window;
      progress.window_start += window.size();
      progress.input_records = positions[progress.window_start - 1] + 1;
      store->commit(progress);
    }
  }
  store->finish(rows.size(), {{"state", "complete"}}, {{"code", 0}});
}

}  // namespace

std::optional<std::uint64_t> original_of(const DealtPlan&, std::uint64_t position) {
  if (position < 9 || position % 5 != 2 || is_rejected(position)) {
    return std::nullopt;
  }
  const std::uint64_t original = position / 3;
  const bool first = original < 9 || original % 5 != 2;
  return first && !is_rejected(original) ? std::optional(original) : std::nullopt;
}

std::string shard_path(const std::string& output, const DealtPlan& plan, std::uint64_t index) {
  return output + "/shards/" + std::to_string(index) + "-of-" + std::to_string(plan.deal.shards);
}

void write_whole(Files& files, const std::string& directory, const DealtPlan& plan) {
  std::vector<std::uint64_t> positions(plan.records);
  for (std::uint64_t i = 0; i < plan.records; ++i) {
    positions[i] = i;
  }
  write_run(files, directory, plan, positions, {{"run", "single"}}, true);
}

void write_shards(Files& files, const std::string& output, const DealtPlan& plan) {
  for (std::uint64_t index = 0; index < plan.deal.shards; ++index) {
    std::vector<std::uint64_t> positions;
    for (std::uint64_t i = 0; i < plan.records; ++i) {
      if (plan.deal.shard(i) == index) {
        positions.push_back(i);
      }
    }
    write_run(files, shard_path(output, plan, index + 1), plan, positions,
              {{"shard", {{"index", index + 1}, {"count", plan.deal.shards}}}}, false);
  }
}

}  // namespace longhaul::store::test
