#include "encode/model_file.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "encode/model_kind.hpp"

namespace longhaul::encode {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    throw Error(ExitCode::kIo, path + ": the card cannot be read", "check the path");
  }
  return text.str();
}

void check_pin(const ModelFile& model, const std::optional<std::string>& pin) {
  if (pin && to_lower(*pin) != model.sha256()) {
    throw Error(ExitCode::kBadData,
                model.path + ": its SHA-256 is " + model.sha256() + ", not the pinned " + *pin,
                "use the model that was meant, or correct --model-sha256");
  }
}

}  // namespace

ModelFile read_model_file(const std::string& path, const std::optional<std::string>& card_path,
                          const std::optional<std::string>& pin,
                          const EmbeddedCard& embedded_card) {
  if (!std::filesystem::is_regular_file(path)) {
    require_archive(path);
  }
  ModelFile model;
  model.path = path;
  // Where the system refuses a thread, whoever asks for the hash computes it.
  model.hash = std::async(std::launch::async | std::launch::deferred, [path] {
                 return sha256_file(path);
               }).share();
  check_pin(model, pin);
  const std::string sidecar = path + ".json";
  std::optional<std::string> text;
  if (card_path) {
    model.card_source = *card_path;
    text = read_text(*card_path);
  } else if ((text = embedded_card(path))) {
    model.card_source = "longhaul.json inside " + path;
  } else if (std::filesystem::is_regular_file(sidecar)) {
    model.card_source = sidecar;
    text = read_text(sidecar);
  } else {
    throw Error(ExitCode::kBadData,
                path + ": the model has no card, so what it expects is not known",
                "draft one: longhaul inspect " + path + " --draft-card > " + sidecar +
                    ", complete it and start again");
  }
  model.card = parse_card(*text, model.card_source);
  return model;
}

}  // namespace longhaul::encode
