#include "score/head.hpp"

#include <cmath>
#include <cstdint>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "score/npy.hpp"
#include "score/npz.hpp"

namespace longhaul::score {
namespace {

constexpr const char* kHashKey = "head_sha256";

std::string provenance_path(const std::string& path) {
  return path + ".json";
}

NpyArray array_of(const ZipEntries& entries, const std::string& name, const std::string& where) {
  const auto found = entries.find(name + ".npy");
  if (found == entries.end()) {
    throw Error(ExitCode::kBadData, where + " holds no array '" + name + "': not a probe's head",
                "a head has coef, intercept and classes");
  }
  return parse_npy(found->second, where + ", array " + name);
}

}  // namespace

std::string head_bytes(const Head& head) {
  const std::vector<double> intercept{head.intercept};
  const std::vector<double> classes{0, 1};
  const std::vector<std::int64_t> features{static_cast<std::int64_t>(head.coefficients.size())};
  ZipEntries entries;
  entries["coef.npy"] = write_npy({1, head.coefficients.size()}, head.coefficients);
  entries["intercept.npy"] = write_npy({1}, intercept);
  entries["classes.npy"] = write_npy({2}, classes);
  entries["n_features_in.npy"] = write_npy({1}, features);
  return write_stored_zip(entries);
}

Head parse_head(std::string_view archive, const std::string& where) {
  const ZipEntries entries = read_stored_zip(archive, where);
  NpyArray coefficients = array_of(entries, "coef", where);
  const NpyArray intercept = array_of(entries, "intercept", where);
  const NpyArray classes = array_of(entries, "classes", where);
  if (coefficients.shape.size() != 2 || coefficients.shape[0] != 1 ||
      intercept.values.size() != 1) {
    throw Error(ExitCode::kBadData,
                where + " is not the head of a two-class linear probe: coef must be (1, d)");
  }
  if (classes.values != std::vector<double>{0, 1}) {
    throw Error(ExitCode::kBadData, where + " has classes other than 0 and 1");
  }
  if (entries.contains("n_features_in.npy")) {
    const NpyArray features = array_of(entries, "n_features_in", where);
    if (features.values != std::vector<double>{static_cast<double>(coefficients.values.size())}) {
      throw Error(ExitCode::kBadData, where +
                                          " contradicts itself: n_features_in is not the width "
                                          "of coef");
    }
  }
  Head head;
  head.coefficients = std::move(coefficients.values);
  head.intercept = intercept.values[0];
  for (const double value : head.coefficients) {
    if (!std::isfinite(value)) {
      throw Error(ExitCode::kBadData, where + " holds coefficients that are not finite");
    }
  }
  return head;
}

Head read_head(Files& files, const std::string& path) {
  const std::string archive = read_text(files, path);
  Head head = parse_head(archive, path);
  if (!files.exists(provenance_path(path))) {
    return head;
  }
  std::string belongs_to;
  try {
    head.provenance = nlohmann::json::parse(read_text(files, provenance_path(path)));
    belongs_to = head.provenance->value(kHashKey, "");
  } catch (const nlohmann::json::exception& error) {
    throw Error(ExitCode::kBadData,
                provenance_path(path) + " is not a head's provenance: " + error.what());
  }
  if (belongs_to != sha256(archive)) {
    throw Error(ExitCode::kBadData, provenance_path(path) + " belongs to another head than " + path,
                "fit the head again, or remove the JSON file to use the head without provenance");
  }
  return head;
}

void require_own_head(Files& files, const std::string& path) {
  const std::string told = provenance_path(path);
  if (!files.exists(path) && !files.exists(told)) {
    return;
  }
  // A kill between the two files leaves a new provenance beside an old archive.
  if (files.kind(path) != PathKind::kDirectory && files.kind(told) == PathKind::kFile) {
    const nlohmann::json provenance =
        nlohmann::json::parse(read_text(files, told), nullptr, /*allow_exceptions=*/false);
    if (provenance.is_object() && provenance.contains("head")) {
      return;
    }
  } else if (files.kind(path) == PathKind::kFile && !files.exists(told)) {
    try {
      parse_head(read_text(files, path), path);
      return;  // one that came without: the original pipeline's
    } catch (const Error&) {
      // no head
    }
  }
  throw Error(ExitCode::kUsage,
              printable(files.exists(path) ? path : told, 400) +
                  " is there already, and is no head of longhaul probe fit",
              "name another with --output, or remove it");
}

void write_head(Files& files, const std::string& path, const Head& head) {
  const std::string archive = head_bytes(head);
  if (head.provenance) {
    nlohmann::json provenance = *head.provenance;
    provenance[kHashKey] = sha256(archive);
    write_atomically(files, provenance_path(path), provenance.dump(2) + "\n");
  }
  write_atomically(files, path, archive);
}

}  // namespace longhaul::score
