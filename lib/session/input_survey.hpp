// What an input holds, found by reading it once as a run would: counts, lengths, what there is to
// compute in a run's own windows and parts, and the sizes of the files that it would leave.
// One thread; borrows all it is given. Throws Error as a reader does.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "domain/counters.hpp"
#include "plan/window.hpp"
#include "plan/workload.hpp"
#include "prepare/duplicate_filter.hpp"
#include "prepare/preprocessor.hpp"
#include "run/repeated_ids.hpp"
#include "run/window_source.hpp"
#include "store/store_layout.hpp"

namespace longhaul::session {

struct SurveySettings {
  run::WindowSettings window;
  plan::RowsPolicy parts;
  store::StoreLayout layout;  // with the types that its arrays have in files
  bool images = false;
  std::uint32_t shards = 1;
  std::uint64_t block = 64;  // consecutive records that are dealt to a shard together
  // Equal sequences are computed once. Shards compare nothing.
  bool skip_duplicates = false;
};

struct ShardWork {
  std::uint64_t records = 0;
  plan::Workload work;
};

struct InputSurvey {
  Counters counters;
  // Records equal to an earlier one; not of images, nor of more contents than are remembered.
  std::optional<std::uint64_t> exact_duplicates;
  std::uint64_t tokens = 0;                        // special tokens included, without padding
  std::map<std::uint64_t, std::uint64_t> lengths;  // records by residues; of images by bytes
  std::map<std::string, std::vector<RecordRow>> first_rejects;  // by reason, three at most
  std::vector<ShardWork> shards;                                // one where there are none
  // For timing: a record for each width, and pictures from all over the input.
  std::map<std::uint32_t, prepare::Prepared> samples;
  std::vector<prepare::Prepared> pictures;
  std::map<std::string, std::uint64_t> files;  // bytes of the output's, by name

  plan::Workload work() const;  // of all shards
};

class InputSurveyor {
 public:
  explicit InputSurveyor(const SurveySettings& settings);
  void add(prepare::Prepared prepared);
  InputSurvey finish(const LeftOut& left_out);

 private:
  struct Open {
    plan::WindowShapes shapes;
    ShardWork done;
  };
  void close_window(Open& shard);
  void keep_sample(prepare::Prepared prepared);
  void measure_files();

  const SurveySettings settings_;
  InputSurvey found_;
  std::vector<Open> shards_;
  run::RepeatedIds ids_;
  prepare::DuplicateFilter contents_{prepare::DuplicateFilter::Key::kContent};  // of sequences
  std::optional<std::uint64_t> duplicates_ = 0;                                 // nothing: too many
  std::uint64_t table_bytes_ = 0;
  std::uint64_t reject_bytes_ = 0;
  std::uint64_t residues_ = 0;
  std::uint64_t seen_pictures_ = 0;
};

}  // namespace longhaul::session
