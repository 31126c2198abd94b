#include "session/run_json.hpp"

#include <filesystem>

#include "base/text.hpp"
#include "session/run_identity.hpp"
#include "session/run_report.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

std::string absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(path, error);
  return printable(error ? path : whole.lexically_normal().string(), 4096);
}

}  // namespace

json describe_inputs(const std::vector<input::SourceIdentity>& sources,
                     const std::vector<json>& hashes) {
  json list = describe_sources(sources);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    list[i]["sha256"] = i < hashes.size() ? hashes[i] : json(nullptr);
    list[i]["absolute"] = sources[i].path == "-" ? json(nullptr) : json(absolute(sources[i].path));
  }
  return list;
}

ordered_json run_json(const RunJson& run, const config::RunConfig& config,
                      const encode::ModelFile& model) {
  json card = model.card.text;
  if (card.is_object()) {
    card.erase("golden");
  }
  json counts = run.counts;
  json left_out = take_left_out(counts);
  ordered_json out;
  out["state"] = run.state;
  out["counts"] = std::move(counts);
  out["model"] = {
      {"path", config.model}, {"absolute", absolute(config.model)}, {"sha256", model.sha256()}};
  out["inputs"] = run.inputs;
  out["left_out"] = std::move(left_out);
  out["code"] = run.code ? json(to_int(*run.code)) : json(nullptr);
  out["bits"] = run.bits_reasons.empty() ? "exact" : "numeric";
  out["bits_reasons"] = run.bits_reasons;
  out["contract"] = run.contract;
  if (!run.fast_decode.is_null()) {
    out["fast_decode"] = run.fast_decode;
  }
  out["input_paths"] = config.inputs;
  for (const char* name : {"working_directory", "command", "host", "processor", "machine"}) {
    out[name] = run.session.value(name, json(nullptr));
  }
  out["settings"] = run.settings;
  out["choices"] = run.choices;
  out["fingerprint"] = run.fingerprint;
  out["card"] = std::move(card);
  json sessions = run.earlier_sessions;
  sessions.push_back(run.session);
  out["sessions"] = std::move(sessions);
  out["longhaul"] = run.versions;
  return out;
}

}  // namespace longhaul::session
