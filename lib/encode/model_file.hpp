// A model file as a run knows it: where it is, what it is (SHA-256), and its card.
// A value; any thread. Its hash is computed in a thread of its own while the model loads. Reading
// runs nothing of the model. Throws Error(kIo) when a file cannot be read, Error(kBadData) for a
// missing or bad card or a file that is not the pinned one.
#pragma once

#include <functional>
#include <future>
#include <optional>
#include <string>

#include "encode/card.hpp"

namespace longhaul::encode {

struct ModelFile {
  std::string path;
  std::shared_future<std::string> hash;
  std::string card_source;  // "longhaul.json inside m.ts", "m.ts.json", the --card file
  EncoderCard card;

  // Of the file, in hexadecimal; waits for it.
  const std::string& sha256() const { return hash.get(); }
};

// Text of the card inside an archive; nothing when it has none.
using EmbeddedCard = std::function<std::optional<std::string>(const std::string& model_path)>;

// The card comes from `card_path`, else from inside the archive, else from `path` + ".json".
// `pin` is the SHA-256 of the only file to accept: then nothing is returned before it is known.
ModelFile read_model_file(const std::string& path, const std::optional<std::string>& card_path,
                          const std::optional<std::string>& pin, const EmbeddedCard& embedded_card);

}  // namespace longhaul::encode
