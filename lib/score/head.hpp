// The head of a probe: a line in embedding space, and where it came from. On disk HEAD.npz (coef
// (1, d) float64, intercept (1,), classes (2,), n_features_in (1,): what numpy and the original
// pipeline read and write) and beside it HEAD.npz.json, its provenance, which names the SHA-256 of
// the .npz so that the two cannot be mixed up. Never a pickle.
// Values; any thread. Errors: kBadData for what is not such a head, kIo.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"

namespace longhaul::score {

struct Head {
  std::vector<double> coefficients;
  double intercept = 0;
  // Nothing for a head that came without: the original pipeline's.
  std::optional<nlohmann::json> provenance;
};

Head read_head(Files& files, const std::string& path);
// Throws Error(kUsage) where one of both files is there and they are no head of a probe.
void require_own_head(Files& files, const std::string& path);
// Both files, the archive last: a head never lacks the provenance it was written with.
void write_head(Files& files, const std::string& path, const Head& head);

std::string head_bytes(const Head& head);  // the archive
Head parse_head(std::string_view archive, const std::string& where);

}  // namespace longhaul::score
