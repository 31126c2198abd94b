// Which exporter makes an archive of a model, by its name, its folder or its weights.
// Pure but for reading a folder's config.json; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace longhaul::encode {

// `path` may be a name only, such as facebook/esm2_t33_650M_UR50D.
std::string advice_for_name(const std::string& name);

// A folder as Hugging Face, open_clip and timm write them: what it is ("a Hugging Face folder of a
// model of type 'bert'"), and the remedy. Empty `what`: no such folder.
struct FolderAdvice {
  std::string what;
  std::string remedy;
};
FolderAdvice advice_for_folder(const std::filesystem::path& folder);

// A file of weights; `names` is any text that holds the names of its parameters.
std::string advice_for_weights(const std::filesystem::path& file, std::string_view names);

// Where the family cannot be known from the file.
std::string general_advice();

}  // namespace longhaul::encode
