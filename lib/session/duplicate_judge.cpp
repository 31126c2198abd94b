#include "session/duplicate_judge.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "prepare/image_settings.hpp"

namespace longhaul::session {
namespace {

using Vector = store::MergedOutput::Vector;

}  // namespace

DuplicateJudge::DuplicateJudge(SkipDuplicates kind, const std::vector<std::string>& kept_columns)
    : kind_(kind) {
  if (kind == SkipDuplicates::kOff) {
    return;
  }
  const bool likeness = kind == SkipDuplicates::kDhash;
  filter_.emplace(likeness ? prepare::DuplicateFilter::Key::kLikeness
                           : prepare::DuplicateFilter::Key::kContent);
  const auto column = std::find(kept_columns.begin(), kept_columns.end(), prepare::kLikenessColumn);
  if (likeness && column == kept_columns.end()) {
    throw Error(ExitCode::kBadData, "the shards have no column of likenesses in records.csv",
                "begin all of them anew");
  }
  likeness_ = static_cast<std::size_t>(column - kept_columns.begin());
}

std::optional<std::uint64_t> DuplicateJudge::first_of(const RecordRow& row) {
  if (kind_ == SkipDuplicates::kExact) {
    return row.hash == Hash128{} ? std::nullopt : filter_->first_of(row.hash, row.position);
  }
  const std::optional<Hash128> likeness =
      hash128_from_hex(std::string(16, '0') + row.kept.at(likeness_));
  return likeness ? filter_->first_of(likeness->low, row.position) : std::nullopt;
}

Vector DuplicateJudge::judge(RecordRow& row) {
  if (!filter_ || row.status != Status::kOk) {
    return Vector::kOwn;
  }
  const std::optional<std::uint64_t> original = first_of(row);
  if (!original) {
    return Vector::kOwn;
  }
  row.status = Status::kDuplicate;
  row.duplicate_of = original;
  return kind_ == SkipDuplicates::kExact ? Vector::kOriginals : Vector::kNone;
}

}  // namespace longhaul::session
