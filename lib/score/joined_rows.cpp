#include "score/joined_rows.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/hash.hpp"
#include "score/id_join.hpp"

namespace longhaul::score {
namespace {

constexpr std::size_t kNames = 5;

bool same_record(const RecordRow& a, const RecordRow& b) {
  const bool known = a.hash != Hash128{} && b.hash != Hash128{};
  return a.position == b.position && a.id == b.id && (!known || a.hash == b.hash);
}

bool has_vector(Status status, bool empty_duplicates) {
  return status == Status::kOk || (status == Status::kDuplicate && !empty_duplicates);
}

std::vector<RecordKey> keys_of(const store::OutputReader& output) {
  std::vector<RecordKey> keys;
  keys.reserve(output.rows());
  store::RecordCursor records = output.records();
  for (RecordRow record; records.next(record);) {
    keys.emplace_back(hash64(std::string_view(record.id)), record.hash.high ^ record.hash.low,
                      record.row, record.status);
  }
  return keys;
}

// Those without a name yet.
void collect(const Named& named, std::vector<std::uint64_t>& rows) {
  for (const Named::Example& example : named.first) {
    rows.push_back(example.row);
  }
}

void give_names(Named& named, const std::map<std::uint64_t, std::string>& ids) {
  std::ranges::sort(named.first, {}, &Named::Example::row);
  for (Named::Example& example : named.first) {
    if (const auto found = ids.find(example.row); found != ids.end()) {
      example.id = found->second;
    }
  }
}

}  // namespace

void Named::add(std::uint64_t row, std::string id) {
  ++count;
  if (first.size() < kNames) {
    first.push_back({row, std::move(id)});
    return;
  }
  // They may come in any order: the first rows are kept.
  const auto last = std::ranges::max_element(first, {}, &Example::row);
  if (row < last->row) {
    *last = {row, std::move(id)};
  }
}

bool has_empty_duplicates(const store::OutputReader& output) {
  const nlohmann::json fingerprint =
      output.claims() ? output.claims()->run.begin.value("fingerprint", nlohmann::json::object())
                      : nlohmann::json(output.run()).value("fingerprint", nlohmann::json::object());
  return fingerprint.value("skip-duplicates", nlohmann::json(nullptr)) == "dhash";
}

std::map<std::uint64_t, std::string> ids_of(const store::OutputReader& output,
                                            const std::vector<std::uint64_t>& rows) {
  std::map<std::uint64_t, std::string> ids;
  if (rows.empty()) {
    return ids;
  }
  store::RecordCursor records = output.records();
  auto wanted = rows.begin();
  for (RecordRow record; wanted != rows.end() && records.next(record);) {
    if (record.row == *wanted) {
      ids.emplace(record.row, std::move(record.id));
      ++wanted;
    }
  }
  return ids;
}

JoinedRows::JoinedRows(const store::OutputReader& a, const store::OutputReader& b) {
  if (!join_by_row(a, b)) {
    *this = JoinedRows();
    by_ = JoinedBy::kId;
    join_by_id(a, b);
    name_rows(a, b);
  }
}

// False where the records are not the same ones as far as both go.
bool JoinedRows::join_by_row(const store::OutputReader& a, const store::OutputReader& b) {
  const bool empty_a = has_empty_duplicates(a);
  const bool empty_b = has_empty_duplicates(b);
  store::RecordCursor records_a = a.records();
  store::RecordCursor records_b = b.records();
  RecordRow one;
  RecordRow other;
  bool more_a = records_a.next(one);
  bool more_b = records_b.next(other);
  for (; more_a && more_b; more_a = records_a.next(one), more_b = records_b.next(other)) {
    if (!same_record(one, other)) {
      return false;
    }
    ++records_;
    if (one.status != other.status) {
      status_changes_[{one.status, other.status}].add(one.row, one.id);
    }
    usable_.push_back(has_vector(one.status, empty_a) && has_vector(other.status, empty_b));
  }
  if (records_ == 0 && (more_a || more_b)) {
    return false;
  }
  for (; more_a; more_a = records_a.next(one)) {
    only_a_.add(one.row, one.id);
  }
  for (; more_b; more_b = records_b.next(other)) {
    only_b_.add(other.row, other.id);
  }
  return true;
}

void JoinedRows::join_by_id(const store::OutputReader& a, const store::OutputReader& b) {
  const bool empty_a = has_empty_duplicates(a);
  const bool empty_b = has_empty_duplicates(b);
  std::vector<RecordKey> keys_a = keys_of(a);
  std::vector<RecordKey> keys_b = keys_of(b);
  JoinTellers tell;
  tell.same = [&](const RecordKey& one, const RecordKey& other) {
    ++records_;
    const Status in_a = one.what_became();
    const Status in_b = other.what_became();
    if (in_a != in_b) {
      status_changes_[{in_a, in_b}].add(one.row);
    }
    if (has_vector(in_a, empty_a) && has_vector(in_b, empty_b)) {
      pairs_.push_back({one.row, other.row});
    }
  };
  tell.other_content = [&](const RecordKey& one, const RecordKey&) { other_content_.add(one.row); };
  tell.only_a = [&](const RecordKey& one, bool ambiguous) {
    only_a_.add(one.row);
    if (ambiguous) {
      repeated_a_.add(one.row);
    }
  };
  tell.only_b = [&](const RecordKey& one, bool ambiguous) {
    only_b_.add(one.row);
    if (ambiguous) {
      repeated_b_.add(one.row);
    }
  };
  join_records(keys_a, keys_b, tell);
  std::ranges::sort(pairs_, {}, &Pair::a);
  usable_.assign(pairs_.size(), true);
}

void JoinedRows::name_rows(const store::OutputReader& a, const store::OutputReader& b) {
  const auto name = [](const store::OutputReader& output, std::vector<Named*> all) {
    std::vector<std::uint64_t> rows;
    for (const Named* named : all) {
      collect(*named, rows);
    }
    std::ranges::sort(rows);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    const std::map<std::uint64_t, std::string> ids = ids_of(output, rows);
    for (Named* named : all) {
      give_names(*named, ids);
    }
  };
  std::vector<Named*> of_a{&only_a_, &other_content_, &repeated_a_};
  for (auto& [change, named] : status_changes_) {
    of_a.push_back(&named);
  }
  name(a, of_a);
  name(b, {&only_b_, &repeated_b_});
}

}  // namespace longhaul::score
