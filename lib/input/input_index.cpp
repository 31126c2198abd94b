#include "input/input_index.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/chained_lines.hpp"
#include "base/error.hpp"
#include "base/file_lines.hpp"
#include "base/text.hpp"
#include "input/input_digest.hpp"

namespace longhaul::input {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kVersion = 1;

class LineWriter {
 public:
  explicit LineWriter(File& file) : file_(file) {}

  void write(const ordered_json& object) {
    const std::string line = chained_line(crc_, object);
    crc_ = chained_crc(line);
    text_ += line;
    constexpr std::size_t kGathered = 1U << 16;
    if (text_.size() >= kGathered) {
      flush();
    }
  }
  void flush() {
    file_.write_at(written_, bytes_of(text_));
    written_ += text_.size();
    text_.clear();
  }

 private:
  File& file_;
  std::uint64_t written_ = 0;
  std::string text_;
  std::string crc_;
};

void put_place(ordered_json& line, const IndexPlace& place) {
  line["row"] = place.row;
  line["cursor"] = place.cursor;
  if (!place.left_out.empty()) {
    line["left_out"] = place.left_out.counts();
  }
}

IndexPlace place_from(const json& line) {
  return {line.at("row"), line.at("cursor"),
          LeftOut(line.value("left_out", std::map<std::string, std::uint64_t>()))};
}

IndexPlace place_of(const InputPosition& position) {
  return {position.position, position.cursor, position.left_out};
}

std::uint64_t cost_of(const Record& record) {
  if (record.stamp) {
    return record.stamp->size;
  }
  return record.defect ? 0 : record.payload.size();
}

Hash128 hash_from(const json& text) {
  const auto hash = hash128_from_hex(text.get_ref<const std::string&>());
  if (!hash) {
    throw Error(ExitCode::kBadData, "no hash: " + text.dump());
  }
  return *hash;
}

// Takes the lines of an index one by one.
class Reader {
 public:
  Reader(const std::string& path, const std::string& remedy) : path_(path), remedy_(remedy) {}

  void line(std::string_view text, bool terminated) {
    ++lines_;
    if (!terminated || !is_chained(crc_, text)) {
      damaged("line " + format_count(lines_) + " does not match its checksum");
    }
    crc_ = chained_crc(text);
    if (ended_) {
      damaged("line " + format_count(lines_) + " comes after its end");
    }
    try {
      take(json::parse("{" + std::string(chained_body(text))));
    } catch (const json::exception& error) {
      damaged("line " + format_count(lines_) + ": " + error.what());
    }
  }

  InputIndex index() {
    if (!ended_) {
      damaged(lines_ == 0 ? "it is empty" : "its end is missing");
    }
    if (sum_.value().content != index_.digest) {
      damaged("the digests of its stretches do not add up to the whole's");
    }
    return std::move(index_);
  }

 private:
  [[noreturn]] void damaged(const std::string& why) const {
    throw Error(ExitCode::kBadData, printable(path_, 400) + " is damaged: " + why, remedy_);
  }

  void take(const json& line) {
    const std::string kind = line.at("kind");
    if (lines_ == 1) {
      take_header(kind, line);
    } else if (kind == "source") {
      index_.sources.push_back(place_from(line));
    } else if (kind == "stretch") {
      take_stretch(line);
    } else if (kind == "end") {
      index_.end = place_from(line);
      index_.digest = hash_from(line.at("digest"));
      index_.cost = line.at("cost");
      index_.sha256 = line.at("sha256");
      ended_ = true;
      require(index_.end.row == rows_ && rows_ > 0);
    } else {
      damaged("line " + format_count(lines_) + " is of no kind that is known");
    }
  }

  void take_header(const std::string& kind, const json& line) {
    require(kind == "index");
    if (const json& version = line.at("version"); version != kVersion) {
      throw Error(ExitCode::kMismatch,
                  printable(path_, 400) + " is of version " + version.dump() +
                      ", and this longhaul knows version " + std::to_string(kVersion),
                  "use the longhaul that made it, or another --output");
    }
    index_.header = {line.at("stretch"), line.at("images"), line.at("settings"),
                     line.at("source_bytes")};
    require(index_.header.stretch > 0);
  }

  void take_stretch(const json& line) {
    IndexStretch stretch{place_from(line), line.at("records"), hash_from(line.at("digest")),
                         line.at("cost")};
    // All but the last are whole.
    require(stretch.begin.row == rows_ && rows_ % index_.header.stretch == 0 &&
            stretch.records > 0 && stretch.records <= index_.header.stretch);
    rows_ += stretch.records;
    sum_.add({.content = stretch.digest});
    index_.stretches.push_back(std::move(stretch));
  }

  void require(bool holds) const {
    if (!holds) {
      damaged("line " + format_count(lines_) + " is not what follows the lines before it");
    }
  }

  const std::string& path_;
  const std::string& remedy_;
  std::uint64_t lines_ = 0;
  std::string crc_;
  bool ended_ = false;
  std::uint64_t rows_ = 0;
  InputDigest sum_;
  InputIndex index_;
};

}  // namespace

void write_index(RecordReader& input, const IndexHeader& header, File& file,
                 const std::function<void(std::uint64_t records)>& each,
                 const std::function<std::vector<std::string>()>& sha256) {
  LineWriter lines(file);
  lines.write({{"kind", "index"},
               {"version", kVersion},
               {"stretch", header.stretch},
               {"images", header.images},
               {"settings", header.settings},
               {"source_bytes", header.source_bytes}});
  InputDigest whole;
  std::uint64_t cost = 0;
  std::string source;  // the cursor of the last one that is in the file
  for (bool more = true; more;) {
    IndexStretch stretch;
    stretch.begin = place_of(input.position());
    if (const auto begin = input.source_begin(); begin && begin->cursor != source) {
      source = begin->cursor;
      ordered_json line{{"kind", "source"}};
      put_place(line, place_of(*begin));
      lines.write(line);
    }
    InputDigest digest;
    while (stretch.records < header.stretch) {
      const std::optional<Record> record = input.next();
      if (!record) {
        more = false;
        break;
      }
      digest.add(*record);
      stretch.cost += cost_of(*record);
      ++stretch.records;
    }
    if (stretch.records == 0) {
      break;
    }
    whole.add({.content = digest.value().content});
    cost += stretch.cost;
    ordered_json line{{"kind", "stretch"}};
    put_place(line, stretch.begin);
    line["records"] = stretch.records;
    line["digest"] = to_hex(digest.value().content);
    line["cost"] = stretch.cost;
    lines.write(line);
    each(stretch.begin.row + stretch.records);
  }
  ordered_json line{{"kind", "end"}};
  put_place(line, place_of(input.position()));
  line["digest"] = to_hex(whole.value().content);
  line["cost"] = cost;
  line["sha256"] = sha256();
  lines.write(line);
  lines.flush();
}

InputIndex read_index(Files& files, const std::string& path, const std::string& remedy) {
  Reader reader(path, remedy);
  const std::unique_ptr<File> file = files.open(path, OpenMode::kRead);
  for_each_line(*file,
                [&](std::string_view text, bool terminated) { reader.line(text, terminated); });
  return reader.index();
}

}  // namespace longhaul::input
