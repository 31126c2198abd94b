#include "store/store_driver.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace longhaul::store::test {

namespace {

enum class Kind { kGood, kBad, kLateBad, kDuplicate };

Kind kind_of(std::uint64_t row) {
  if (row % 7 == 3) {
    return Kind::kBad;
  }
  if (row % 7 == 5) {
    return Kind::kLateBad;
  }
  return row >= 11 && row % 11 == 0 ? Kind::kDuplicate : Kind::kGood;
}

constexpr std::uint64_t kOriginal = 1;  // of all duplicates

std::uint64_t original_of(std::uint64_t row) {
  return kind_of(row) == Kind::kDuplicate ? kOriginal : row;
}

// Of residues: some have none.
std::uint32_t length_of(std::uint64_t row) {
  return static_cast<std::uint32_t>(row * 13 % 50);
}

// As fp16 too these are different numbers, and not beyond it.
std::vector<float> numbers_of(std::uint64_t row, const OutputSpec& output) {
  std::vector<float> numbers(std::size_t{output.dimension} *
                             (output.kind == ArrayKind::kTokens ? length_of(row) : 1));
  const std::string name = output.name == OutputSpec{}.name ? "" : output.name;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::uint64_t bits = hash64(name + std::to_string(row) + "/" + std::to_string(i));
    numbers[i] = output.dtype == OutputDtype::kFp16
                     ? static_cast<float>(bits % 4001) - 2000.0F
                     : static_cast<float>(bits % 2000003) / 1000.0F - 1000.0F;
  }
  return numbers;
}

RecordRow record_row(std::uint64_t row, const std::vector<LateOutcome>& late) {
  RecordRow line;
  line.position = line.row = row;
  line.id = "id " + std::to_string(row) + (row % 4 == 0 ? ",\"quoted\"\n" : "");
  line.source = "in.csv";
  line.line = row + 2;
  line.length = length_of(row);
  line.hash = hash128(std::to_string(row));
  line.kept = {std::to_string(row % 2), "kept"};
  if (kind_of(row) == Kind::kBad) {
    line.status = Status::kRejected;
    line.defect = Defect{Reason::kInvalidCharacter, "'?' at 3, with, commas"};
  }
  for (const LateOutcome& outcome : late) {
    if (outcome.row == row) {
      line.status = outcome.status;
      line.defect = outcome.defect;
      line.duplicate_of = outcome.duplicate_of;
    }
  }
  return line;
}

// Rows with something to encode, the longest first.
std::vector<std::uint64_t> order_of(std::uint64_t start, std::uint64_t end) {
  std::vector<std::uint64_t> order;
  for (std::uint64_t row = start; row < end; ++row) {
    if (kind_of(row) != Kind::kBad) {
      order.push_back(row);
    }
  }
  std::stable_sort(order.begin(), order.end(),
                   [](auto a, auto b) { return length_of(a) > length_of(b); });
  return order;
}

class Driver {
 public:
  Driver(EmbeddingStore& store, const DriverPlan& plan, Acknowledged* acknowledged)
      : store_(store), plan_(plan), acknowledged_(acknowledged) {}

  void run(const std::optional<store::Progress>& from) {
    if (from) {
      progress_ = *from;
      late_ = std::move(progress_.late);
      progress_.late.clear();
    }
    while (progress_.window_start < plan_.records) {
      window();
    }
    commit();
    store_.finish(plan_.records, {{"records", plan_.records}, {"state", "done"}}, {{"code", 3}});
    if (acknowledged_ != nullptr) {
      acknowledged_->finished = true;
    }
  }

 private:
  void window() {
    const std::uint64_t start = progress_.window_start;
    const std::uint64_t end = std::min(start + plan_.window, plan_.records);
    const std::vector<std::uint64_t> order = order_of(start, end);
    std::vector<std::uint32_t> residues;
    for (std::uint64_t row = start; row < end; ++row) {
      residues.push_back(kind_of(row) == Kind::kBad ? 0 : length_of(original_of(row)));
    }
    store_.place_window(start, residues);
    while (progress_.position < order.size()) {
      encode(order[progress_.position]);
      ++progress_.position;
      if (++since_commit_ % plan_.commit_every == 0) {
        commit();
      }
    }
    std::vector<RecordRow> rows;
    for (std::uint64_t row = start; row < end; ++row) {
      rows.push_back(record_row(row, late_));
    }
    store_.complete_window(rows);
    late_.clear();
    progress_.late.clear();
    progress_.window_start = end;
    progress_.position = 0;
    ++progress_.window;
    progress_.cursor = "record " + std::to_string(end);
    progress_.input_records = end;
    progress_.input_hash.content = hash128(progress_.cursor);
  }

  void encode(std::uint64_t row) {
    std::vector<std::vector<float>> numbers;
    for (const OutputSpec& output : plan_.layout.outputs) {
      numbers.push_back(numbers_of(row, output));
    }
    LateOutcome late{row, Status::kRejected, {}, {}, {}};
    if (kind_of(row) == Kind::kLateBad) {
      // In any of the outputs, so that some before it are stored already.
      std::vector<float>& some = numbers[row % numbers.size()];
      (some.empty() ? numbers.front() : some).back() = std::numeric_limits<float>::infinity();
    }
    if (kind_of(row) == Kind::kDuplicate) {
      late.status = Status::kDuplicate;
      late.duplicate_of = kOriginal;
      numbers = store_.get(kOriginal);
    }
    if (!store_.put(row, std::vector<std::span<const float>>(numbers.begin(), numbers.end()))) {
      late.defect = Defect{Reason::kNotFinite, "infinity"};
    }
    if (kind_of(row) != Kind::kGood) {
      late_.push_back(late);
      progress_.late.push_back(late);
    }
  }

  void commit() {
    progress_.counters = {{"rows", progress_.window_start}};
    store_.commit(progress_);
    progress_.late.clear();
    if (acknowledged_ != nullptr) {
      *acknowledged_ = {progress_.window_start, progress_.position, false};
    }
  }

  EmbeddingStore& store_;
  const DriverPlan& plan_;
  Acknowledged* acknowledged_;
  Progress progress_;
  std::vector<LateOutcome> late_;
  std::uint64_t since_commit_ = 0;
};

}  // namespace

void drive(Files& files, const std::string& directory, const DriverPlan& plan,
           Acknowledged* acknowledged) {
  const auto out = store::open_store(files, directory);
  if (out->state() && out->state()->finish) {
    return;
  }
  std::optional<store::Progress> from;
  std::unique_ptr<store::EmbeddingStore> store;
  if (out->state()) {
    from = out->state()->progress;
    store = out->resume(plan.layout);
  } else {
    store = out->begin(plan.layout, {{"settings", "as given"}});
  }
  Driver(*store, plan, acknowledged).run(from);
}

fakes::FaultFiles stopped(std::uint64_t at, const DriverPlan& plan) {
  fakes::FaultFiles files;
  files.arm(fakes::Fault::kErrorOnce, at);
  try {
    drive(files, "out", plan);
  } catch (const Error&) {
    CHECK(files.fired() == 1);
  }
  files.end_process();
  return files;
}

std::map<std::string, std::string> outputs(fakes::FaultFiles& files) {
  std::map<std::string, std::string> all;
  for (const std::string& name : files.list("out")) {
    all[name] = name == "journal.jsonl" ? "" : files.content("out/" + name);
  }
  return all;
}

DriverPlan plan_of_three_outputs() {
  DriverPlan plan;
  plan.layout.outputs.push_back({"embeddings.early", ArrayKind::kVector, 3, OutputDtype::kFp16});
  plan.layout.outputs.push_back({"tokens", ArrayKind::kTokens, 2, OutputDtype::kFp16});
  return plan;
}

std::vector<float> expected_numbers(const DriverPlan& plan, std::size_t output, std::uint64_t row) {
  const Kind kind = kind_of(row);
  if (kind == Kind::kBad || kind == Kind::kLateBad) {
    return {};
  }
  return numbers_of(original_of(row), plan.layout.outputs[output]);
}

}  // namespace longhaul::store::test
