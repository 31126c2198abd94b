#include "encode/model_kind.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "encode/model_advice.hpp"
#include "encode/zip_directory.hpp"

namespace longhaul::encode {
namespace {

using namespace std::literals;
namespace fs = std::filesystem;

// Enough for the names of a model's parameters.
constexpr std::size_t kBeginning = std::size_t{1} << 20U;

struct Kind {
  std::string what;
  std::string remedy;
};

struct Magic {
  std::size_t at;
  std::string_view bytes;
  std::string_view what;
};

// Other programs' models: no exporter reads them.
constexpr std::array kModels{
    Magic{0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as Keras saves models"},
    Magic{0, "GGUF"sv, "a GGUF model of llama.cpp"},
    Magic{4, "TFL3"sv, "a TensorFlow Lite model"},
};
constexpr std::array kCompressed{
    Magic{0, "\x1f\x8b"sv, "gzip -dc"},
    Magic{0, "\x28\xb5\x2f\xfd"sv, "zstd -dc"},
    Magic{0, "\xfd\x37zXZ\x00"sv, "xz -dc"},
    Magic{0, "BZh"sv, "bzip2 -dc"},
};
constexpr std::string_view kLfsPointer = "version https://git-lfs.github.com/spec/";
constexpr std::string_view kZip = "PK\x03\x04";
// torch.save before 1.6: a pickled number of its own.
constexpr std::string_view kOldTorch = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv;
constexpr std::string_view kNumpy = "\x93NUMPY"sv;
constexpr std::size_t kTarAt = 257;
constexpr std::string_view kTar = "ustar";

bool has(std::string_view bytes, std::size_t at, std::string_view magic) {
  return bytes.size() >= at + magic.size() && bytes.substr(at, magic.size()) == magic;
}

std::string beginning_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kBeginning, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (file.bad() || (!file.eof() && file.fail())) {
    throw Error(ExitCode::kIo, path.string() + ": the model cannot be read",
                "check its permissions: ls -l " + path.string());
  }
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

std::string_view without_space(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return value;
}

// Eight bytes that say how long the JSON text is which follows.
bool is_safetensors(std::string_view bytes, std::uint64_t file_size) {
  return bytes.size() >= 10 && bytes[8] == '{' && bytes[9] == '"' &&
         little_endian(bytes.substr(0, 8)) <= file_size - 8;
}

std::optional<std::uint64_t> read_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) {
      return value;
    }
  }
  return std::nullopt;
}

// ONNX has no magic number: its first field is the version of its format, and each field up to the
// graph (7) is one that an ONNX model has.
bool is_onnx(std::string_view bytes) {
  if (!has(bytes, 0, "\x08"sv)) {
    return false;
  }
  for (int fields = 0; fields < 64; ++fields) {
    const auto tag = read_varint(bytes);
    if (!tag) {
      return false;
    }
    const std::uint64_t field = *tag >> 3U;
    const bool number = field == 1 || field == 5;
    const bool text =
        (field >= 2 && field <= 8 && !number) || field == 14 || field == 20 || field == 25;
    const auto value = read_varint(bytes);
    if ((!number && !text) || (*tag & 7U) != (number ? 0U : 2U) || !value ||
        (field == 1 && (*value < 1 || *value > 100))) {
      return false;
    }
    if (field == 7) {
      return fields > 0;
    }
    if (text) {
      if (*value > bytes.size()) {
        return false;
      }
      bytes.remove_prefix(*value);
    }
  }
  return false;
}

bool any_entry(const std::vector<ZipEntry>& entries, std::string_view part) {
  return std::any_of(entries.begin(), entries.end(), [&](const ZipEntry& entry) {
    return ("/" + entry.name).find(part) != std::string::npos;
  });
}

// Nothing: it may be a TorchScript archive.
std::optional<Kind> zip_kind(const fs::path& path) {
  const auto entries = read_zip_directory(path);
  if (!entries) {
    return Kind{"a zip archive without its end, as a copy or download that stopped",
                "copy, download or export it again"};
  }
  if (any_entry(*entries, "/archive_format") ||
      any_entry(*entries, "/serialized_exported_program") ||
      any_entry(*entries, "/models/model.json")) {
    return Kind{"an exported program (torch.export, .pt2), not a TorchScript archive",
                general_advice()};
  }
  if (any_entry(*entries, "/code/")) {
    return std::nullopt;
  }
  const auto pickle = std::find_if(entries->begin(), entries->end(), [](const ZipEntry& entry) {
    return ("/" + entry.name).ends_with("/data.pkl");
  });
  if (pickle != entries->end()) {
    return Kind{"weights that Python's torch.save wrote, without the program that uses them",
                advice_for_weights(path, read_zip_entry(path, *pickle, kBeginning))};
  }
  if (any_entry(*entries, "/model.weights.h5")) {
    return Kind{"a Keras model", general_advice()};
  }
  if (any_entry(*entries, ".npy")) {
    return Kind{"a NumPy archive (.npz) of arrays", general_advice()};
  }
  return Kind{"a zip archive that holds no TorchScript program",
              "unpack it and give the model that is inside: unzip " + path.string()};
}

std::optional<Kind> json_kind(const fs::path& path, std::string_view text) {
  if (text.find("\"model_type\"") != std::string_view::npos ||
      text.find("\"pretrained_cfg\"") != std::string_view::npos ||
      text.find("\"architectures\"") != std::string_view::npos) {
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    const FolderAdvice advice = advice_for_folder(folder);
    return Kind{"the configuration of a model, not the model",
                advice.what.empty() ? general_advice() : advice.remedy};
  }
  return Kind{"a JSON text, not a model",
              "give the TorchScript archive; a card goes beside it: --card " + path.string()};
}

Kind text_kind(const fs::path& path, std::string_view text) {
  if (to_lower(text.substr(0, 15)).starts_with("<!doctype html") ||
      to_lower(text.substr(0, 5)).starts_with("<html")) {
    return {"a web page: the download gave a page instead of the file",
            "download it again, by the link to the file itself (for Hugging Face: /resolve/, not "
            "/blob/)"};
  }
  if (text.starts_with('{') || text.starts_with('[')) {
    return *json_kind(path, text);
  }
  return {"a text, not a model",
          "the model comes first, then the inputs: longhaul embed MODEL INPUT... "
          "-o OUT"};
}

Kind pointer_kind(const fs::path& path, std::string_view text) {
  const std::size_t at = text.find("\nsize ");
  const auto size = at == std::string_view::npos
                        ? std::nullopt
                        : parse_count(text.substr(at + 6, text.find('\n', at + 6) - at - 6));
  const std::string folder =
      path.has_parent_path() ? path.parent_path().string() : std::string(".");
  return {"a Git LFS pointer, which stands for a file" +
              (size ? " of " + format_bytes(*size) : std::string()) + " that was not downloaded",
          "fetch the file itself: git -C " + folder + " lfs pull"};
}

bool is_text(std::string_view bytes) {
  const std::string_view start = bytes.substr(0, 4096);
  return is_utf8(start.substr(0, start.size() < 4096 ? start.size() : 4000)) &&
         std::none_of(start.begin(), start.end(), [](char c) {
           return static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\r' && c != '\t';
         });
}

Kind other_kind(const fs::path& path, std::string_view bytes) {
  for (const Magic& magic : kModels) {
    if (has(bytes, magic.at, magic.bytes)) {
      return {std::string(magic.what), general_advice()};
    }
  }
  for (const Magic& magic : kCompressed) {
    if (has(bytes, magic.at, magic.bytes)) {
      fs::path unpacked = path;
      unpacked = path.has_extension() ? unpacked.replace_extension() : unpacked += ".unpacked";
      return {"compressed", "unpack it, and give what is inside: " + std::string(magic.what) + " " +
                                path.string() + " > " + unpacked.string()};
    }
  }
  if (has(bytes, kTarAt, kTar)) {
    return {"a tar archive",
            "unpack it, and give the model that is inside: tar -xf " + path.string()};
  }
  if (has(bytes, 0, kOldTorch) ||
      (has(bytes, 0, "\x80"sv) && bytes.size() > 1 && bytes[1] >= 2 && bytes[1] <= 5)) {
    return {has(bytes, 0, kOldTorch)
                ? "weights that an old torch.save wrote, without the program that uses them"
                : "a Python pickle, not a TorchScript archive",
            advice_for_weights(path, bytes)};
  }
  if (has(bytes, 0, kNumpy)) {
    return {"a NumPy array", general_advice()};
  }
  if (is_onnx(bytes)) {
    return {"an ONNX model", general_advice()};
  }
  const std::string_view text = without_space(bytes);
  if (text.empty()) {
    return {"empty but for white space", "copy, download or export it again"};
  }
  return is_text(bytes) ? text_kind(path, text)
                        : Kind{"not a TorchScript archive, which is a zip file", general_advice()};
}

std::optional<Kind> kind_of_file(const fs::path& path) {
  const std::string bytes = beginning_of(path);
  if (bytes.empty()) {
    return Kind{"empty", "copy, download or export it again"};
  }
  if (bytes.starts_with(kZip)) {
    return zip_kind(path);
  }
  if (bytes.starts_with(kLfsPointer)) {
    return pointer_kind(path, bytes);
  }
  if (is_safetensors(bytes, fs::file_size(path))) {
    const std::string_view names(
        bytes.data() + 8,
        std::min<std::uint64_t>(little_endian(bytes.substr(0, 8)), bytes.size() - 8));
    return Kind{"weights in the safetensors format, without the program that uses them",
                advice_for_weights(path, names)};
  }
  return other_kind(path, bytes);
}

Kind kind_of_folder(const fs::path& path) {
  if (fs::exists(path / "run.json") || fs::exists(path / "journal.jsonl")) {
    return {"an output of longhaul, not a model",
            "longhaul inspect " + path.string() + " shows what it holds"};
  }
  if (FolderAdvice advice = advice_for_folder(path); !advice.what.empty()) {
    return {std::move(advice.what), std::move(advice.remedy)};
  }
  if (fs::exists(path / "saved_model.pb")) {
    return {"a TensorFlow SavedModel", general_advice()};
  }
  std::vector<std::string> archives;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() == ".ts") {
      archives.push_back(entry.path().string());
    }
  }
  std::sort(archives.begin(), archives.end());
  return {"a folder, neither a model nor an output of longhaul (it has no run.json)",
          archives.empty() ? general_advice()
                           : "give one of the archives in it, such as " + archives[0]};
}

// A name on the Hugging Face hub: owner/model, where no such folder is.
bool is_hub_name(const std::string& path) {
  const std::size_t slash = path.find('/');
  return slash != std::string::npos && slash > 0 && slash + 1 < path.size() &&
         path.find('/', slash + 1) == std::string::npos && path[0] != '.' && path[0] != '~' &&
         !fs::exists(path.substr(0, slash)) && !ends_with_ignoring_case(path, ".ts") &&
         !ends_with_ignoring_case(path, ".pt");
}

}  // namespace

void require_archive(const std::string& path) {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (!fs::exists(status)) {
    if (is_hub_name(path)) {
      throw Error(ExitCode::kBadData,
                  path +
                      ": no such file; it looks like a name on the Hugging Face hub, and longhaul "
                      "downloads nothing",
                  advice_for_name(path));
    }
    throw Error(ExitCode::kIo, path + ": no such model file", advice_for_name(path));
  }
  if (!fs::is_directory(status) && !fs::is_regular_file(status)) {
    throw Error(ExitCode::kBadData,
                path +
                    ": neither a file nor a folder, and a model is read more "
                    "than once",
                "write the model to a file and give that");
  }
  const std::optional<Kind> kind =
      fs::is_directory(status) ? std::optional(kind_of_folder(path)) : kind_of_file(path);
  if (kind) {
    throw Error(ExitCode::kBadData, path + ": " + kind->what, kind->remedy);
  }
}

}  // namespace longhaul::encode
