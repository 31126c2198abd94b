// SHA-256 of the input files of a run, computed in a thread of its own while the run goes on. What
// an earlier session of the run found is taken over where the file is the one it was.
// One thread uses it; destroying it stops the computation. A file that cannot be read, or that
// changed meanwhile, has no hash.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "input/source_identity.hpp"

namespace longhaul::session {

class InputHashes {
 public:
  // Only regular files have one. `recorded` is "inputs" of an earlier run.json, or null.
  InputHashes(std::vector<input::SourceIdentity> sources, const nlohmann::json& recorded);
  ~InputHashes();
  InputHashes(const InputHashes&) = delete;
  InputHashes& operator=(const InputHashes&) = delete;

  // Until all are known or `stop` says so.
  void wait(const std::function<bool()>& stop) const;
  // One for each source, in order; null for what is not known (yet).
  std::vector<nlohmann::json> so_far() const;

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace longhaul::session
