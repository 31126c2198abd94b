// The fake encoder as the program's back-end: longhaul-fake.
#include <fstream>

#include "backend.hpp"
#include "encode/model_kind.hpp"
#include "fakes/fake_encoder.hpp"

namespace longhaul::app {

Backend make_backend(device::FreedMemory) {
  return {.read_model =
              [](const std::string& path, const std::optional<std::string>& card_path,
                 const std::optional<std::string>& sha256) {
                // A fake model is a JSON text; anything else is judged as a real one is.
                if (std::ifstream(path).peek() != '{') {
                  encode::require_archive(path);
                }
                return encode::read_model_file(
                    path, card_path, sha256, [](const std::string& model_path) {
                      return std::optional<std::string>(
                          fakes::fake_card_text(fakes::read_fake_model(model_path)));
                    });
              },
          .make_encoder = [](const encode::ModelFile&, const encode::EncoderOptions& options,
                             Log& log) { return fakes::make_fake_encoder(options, log); }};
}

}  // namespace longhaul::app
