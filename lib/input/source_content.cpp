#include "input/source_content.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/field_splitter.hpp"
#include "base/text.hpp"
#include "input/columns.hpp"
#include "input/delimiter.hpp"
#include "input/input_list.hpp"
#include "input/json_lines_reader.hpp"

namespace longhaul::input {
namespace {

constexpr std::size_t kMagicBytes = 10;
constexpr int kMostLayers = 4;
constexpr std::size_t kFirstLineBytes = 4096;
constexpr std::size_t kLongestFirstLine = 1U << 20;

struct Magic {
  std::string_view bytes;
  Compression compression;
};
constexpr Magic kMagics[] = {
    {"\x1f\x8b", Compression::kGzip},
    {"\x28\xb5\x2f\xfd", Compression::kZstd},
    {"\x04\x22\x4d\x18", Compression::kLz4},
    {{"\xfd\x37\x7a\x58\x5a\x00", 6}, Compression::kXz},
};

std::string shown(const std::string& name) {
  return name == "-" ? "standard input" : printable(name, 400);
}

Error no_xz(const std::string& name, const std::optional<InputFormat>& format) {
  const std::string file = name == "-" ? "FILE" : printable(name, 400);
  return Error(ExitCode::kBadData,
               shown(name) + " is compressed with xz, which this program cannot undo",
               "pipe it: xz -dc " + file + " | longhaul embed MODEL -" +
                   (format ? " --format " + std::string(to_string(*format)) : "") + " -o OUT");
}

// The first line that is neither empty nor a comment, behind those that are skipped.
std::string_view first_line(PeekedSource& text, std::uint64_t skip) {
  for (std::size_t wanted = kFirstLineBytes;; wanted *= 2) {
    std::string_view rest = text.head(wanted);
    const bool all = rest.size() < wanted || wanted >= kLongestFirstLine;
    if (rest.starts_with("\xef\xbb\xbf")) {
      rest.remove_prefix(3);
    }
    for (std::uint64_t line = 0; !rest.empty(); ++line) {
      const std::size_t end = rest.find_first_of("\r\n");
      if (end == std::string_view::npos && !all) {
        break;
      }
      const std::string_view found = rest.substr(0, end);
      const bool comment = found.find_first_not_of(" \t") == std::string_view::npos ||
                           found.front() == '#' || found.front() == ';' ||
                           delimiter_of_sep_line(found);
      if (line >= skip && !comment) {
        return found;
      }
      if (end == std::string_view::npos) {
        return {};
      }
      rest.remove_prefix(end + (rest.substr(end).starts_with("\r\n") ? 2 : 1));
    }
    if (all) {
      return {};
    }
  }
}

}  // namespace

std::string_view PeekedSource::head(std::size_t bytes) {
  while (head_.size() < bytes && !ended_) {
    const std::size_t before = head_.size();
    head_.resize(bytes);
    const std::size_t got = source_->read({head_.data() + before, bytes - before});
    head_.resize(before + got);
    ended_ = got == 0;
  }
  return {head_.data(), std::min(bytes, head_.size())};
}

std::size_t PeekedSource::read(std::span<char> into) {
  if (given_ < head_.size()) {
    const std::size_t size = std::min(into.size(), head_.size() - given_);
    std::memcpy(into.data(), head_.data() + given_, size);
    given_ += size;
    return size;
  }
  head_ = {};
  given_ = 0;
  return source_->read(into);
}

bool PeekedSource::seek(std::uint64_t offset) {
  if (!source_->seek(offset)) {
    return false;
  }
  head_ = {};
  given_ = 0;
  return true;
}

Compression compression_of_bytes(std::string_view head) {
  for (const Magic& magic : kMagics) {
    if (head.starts_with(magic.bytes)) {
      return magic.compression;
    }
  }
  // "BZh9" and the first block's mark, or the mark of an end where there is no block.
  const bool bzip2 = head.size() >= 10 && head.starts_with("BZh") && head[3] >= '1' &&
                     head[3] <= '9' &&
                     (head.substr(4, 6) == "\x31\x41\x59\x26\x53\x59" ||
                      head.substr(4, 6) == "\x17\x72\x45\x38\x50\x90");
  return bzip2 ? Compression::kBzip2 : Compression::kNone;
}

std::string_view to_string(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      return "Zstandard";
    case Compression::kBzip2:
      return "bzip2";
    case Compression::kLz4:
      return "LZ4";
    case Compression::kXz:
      return "xz";
    case Compression::kNone:
      break;
  }
  return "nothing";
}

std::unique_ptr<PeekedSource> open_text(std::unique_ptr<ByteSource> stored, Compression named,
                                        const SourceSettings& settings,
                                        const InputBackends& backends) {
  auto text = std::make_unique<PeekedSource>(std::move(stored));
  std::string found;
  for (int layer = 0;; ++layer) {
    const Compression compression = compression_of_bytes(text->head(kMagicBytes));
    if (compression == Compression::kNone) {
      break;
    }
    if (compression == Compression::kXz) {
      throw no_xz(settings.name, format_of_name(settings.name)
                                     ? std::optional(format_of_name(settings.name)->format)
                                     : std::nullopt);
    }
    if (!backends.decompress) {
      throw Error(ExitCode::kUnavailable,
                  "this build cannot read " + shown(settings.name) + ", which is compressed with " +
                      std::string(to_string(compression)) + ": it was made without Arrow",
                  "decompress it, or build with LONGHAUL_ARROW=ON");
    }
    if (layer == kMostLayers) {
      throw Error(ExitCode::kBadData,
                  shown(settings.name) + " is compressed more than " + std::to_string(kMostLayers) +
                      " times over",
                  "decompress it first");
    }
    found += (found.empty() ? "" : ", inside it ") + std::string(to_string(compression));
    text = std::make_unique<PeekedSource>(
        backends.decompress(std::move(text), compression, settings.name));
  }
  if (found != (named == Compression::kNone ? "" : to_string(named)) && settings.notes != nullptr) {
    settings.notes->info("compression",
                         shown(settings.name) + ": is " +
                             (found.empty() ? "not compressed" : "compressed with " + found) +
                             ", whatever its name says");
  }
  return text;
}

std::optional<InputFormat> format_of_content(PeekedSource& text, const SourceSettings& settings) {
  if (text.head(4) == "PAR1") {
    return InputFormat::kParquet;
  }
  const std::string_view line = first_line(text, settings.skip_lines);
  const std::size_t first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return std::nullopt;
  }
  if (line[first] == '>') {
    return InputFormat::kFasta;
  }
  if (line[first] == '{') {
    return JsonObject().read(line) ? std::nullopt : std::optional(InputFormat::kJsonLines);
  }
  std::optional<char> delimiter = delimiter_of_table(line, settings);
  if (settings.delimiter) {
    FieldSplitter splitter(*settings.delimiter);
    splitter.split_alone(line);
    delimiter = has_sequence_column({splitter.fields().begin(), splitter.fields().end()}, settings)
                    ? settings.delimiter
                    : std::nullopt;
  }
  if (!delimiter) {
    return std::nullopt;
  }
  return *delimiter == '\t' ? InputFormat::kTsv : InputFormat::kCsv;
}

}  // namespace longhaul::input
