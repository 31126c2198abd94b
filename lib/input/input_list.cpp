#include "input/input_list.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/delimited_reader.hpp"
#include "input/line_scanner.hpp"

namespace longhaul::input {
namespace {

namespace fs = std::filesystem;

struct Ending {
  std::string_view ending;
  InputFormat format;
};
constexpr Ending kEndings[] = {
    {".csv", InputFormat::kCsv},         {".tsv", InputFormat::kTsv},
    {".jsonl", InputFormat::kJsonLines}, {".ndjson", InputFormat::kJsonLines},
    {".fasta", InputFormat::kFasta},     {".fa", InputFormat::kFasta},
    {".faa", InputFormat::kFasta},       {".fas", InputFormat::kFasta},
    {".fna", InputFormat::kFasta},       {".parquet", InputFormat::kParquet},
    {".pq", InputFormat::kParquet},
};

// In a folder names alone tell what is a file of sequences. Named by itself, a .pep is what its
// first line says.
std::optional<NamedFormat> format_in_folder(std::string_view name) {
  const Compression compression = compression_of_name(name);
  const std::string_view plain =
      compression == Compression::kNone ? name : name.substr(0, name.rfind('.'));
  return ends_with_ignoring_case(plain, ".pep")
             ? std::optional(NamedFormat{InputFormat::kFasta, compression})
             : format_of_name(name);
}

std::string shown(std::string_view path) {
  return path == "-" ? "standard input" : printable(path, 400);
}

class Lister {
 public:
  explicit Lister(const InputSettings& settings) : settings_(settings) {}

  InputFiles list() {
    for (const std::string& input : settings_.inputs) {
      add(input, {});
    }
    if (settings_.files_from) {
      PathList paths(*settings_.files_from, settings_.keep_columns, std::nullopt, settings_.stop);
      while (auto listed = paths.next()) {
        add_listed(*listed);
      }
      left_out_.add(paths.left_out());
    }
    if (files_.empty()) {
      throw Error(ExitCode::kUsage, "no input is named",
                  "name files, folders or '-', or give a list with --files-from");
    }
    return {std::move(files_), std::move(left_out_)};
  }

 private:
  using Kept = std::vector<std::optional<std::string>>;

  // A list of files is read before any of them, so what is wrong with a line is said at once, with
  // nothing lost: a run that left out a whole file would only look complete.
  void add_listed(const ListedPath& listed) {
    const std::string place =
        "the list " + shown(*settings_.files_from) + ", line " + std::to_string(listed.line) + ": ";
    if (listed.defect) {
      throw Error(ExitCode::kBadData, place + listed.defect->message, "correct that line");
    }
    try {
      add(listed.path, listed.kept);
    } catch (const Error& error) {
      throw Error(error.code(), place + error.what(), error.remedy());
    }
  }

  void add(const std::string& input, const Kept& kept) {
    std::error_code error;
    if (input != "-" && fs::is_directory(input, error)) {
      const std::size_t before = files_.size();
      add_folder(input, kept);
      if (files_.size() == before) {
        throw Error(ExitCode::kBadData,
                    "the folder " + shown(input) + " holds no " +
                        (settings_.format ? std::string(to_string(*settings_.format))
                                          : std::string("sequence")) +
                        " files" + (left_out_.empty() ? "" : ", but " + to_string(left_out_)),
                    "they are known by names such as x.fasta, x.csv.gz or x.parquet");
      }
      return;
    }
    const bool again = settings_.files_from == "-" ||
                       std::any_of(files_.begin(), files_.end(),
                                   [](const InputFile& file) { return file.path == "-"; });
    if (input == "-" && again) {
      throw Error(ExitCode::kUsage, "standard input is named twice", "name '-' once");
    }
    add_file(input, format_of(input), kept);
  }

  // Nothing: what is in it says.
  std::optional<NamedFormat> format_of(const std::string& input) const {
    if (settings_.format) {
      return NamedFormat{*settings_.format, compression_of_name(input)};
    }
    return format_of_name(input);
  }

  void add_file(const std::string& path, const std::optional<NamedFormat>& named,
                const Kept& kept) {
    const NamedFormat format =
        named.value_or(NamedFormat{InputFormat::kCsv, compression_of_name(path)});
    InputFile file{path, format, identify_source(path), kept, !named};
    if (file.identity.regular && file.identity.size == 0) {
      throw Error(ExitCode::kBadData, shown(path) + " is empty: it has 0 bytes",
                  "check that it was written completely, or leave it out");
    }
    if (format.format == InputFormat::kParquet && !file.identity.regular) {
      throw Error(ExitCode::kUsage, shown(path) + " is a stream, and Parquet is read from files",
                  "save it as a file first");
    }
    if (format.format == InputFormat::kParquet && settings_.skip_lines > 0) {
      throw Error(ExitCode::kUsage, shown(path) + " is Parquet, which has no lines to skip",
                  "leave out --skip-lines");
    }
    files_.push_back(std::move(file));
  }

  void add_folder(const std::string& folder, const Kept& kept) {
    std::error_code error;
    const fs::path here = fs::canonical(folder, error);
    if (std::find(open_folders_.begin(), open_folders_.end(), here) != open_folders_.end()) {
      left_out_.add("looping links");  // everything there is listed already
      return;
    }
    open_folders_.push_back(here);
    std::vector<std::string> names;
    for (fs::directory_iterator entry = error ? fs::directory_iterator()
                                              : fs::directory_iterator(folder, error);
         !error && entry != fs::directory_iterator(); entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) {
      throw Error(ExitCode::kIo, "cannot read the folder " + shown(folder) + ": " + error.message(),
                  "check its permissions");
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      const std::string path = folder + (folder.back() == '/' ? "" : "/") + name;
      const auto named = format_in_folder(name);
      std::error_code ignored;
      const fs::file_type type = fs::status(path, ignored).type();
      if (is_hidden_name(name)) {
        left_out_.add(type == fs::file_type::directory ? "hidden folders" : "hidden files");
      } else if (type == fs::file_type::directory) {
        add_folder(path, kept);
      } else if (type == fs::file_type::fifo || type == fs::file_type::socket) {
        left_out_.add("special files");  // read only when it is named itself
      } else if (named && (!settings_.format || *settings_.format == named->format)) {
        add_file(path, *named, kept);
      } else {
        left_out_.add_file(name);
      }
    }
    open_folders_.pop_back();
  }

  const InputSettings& settings_;
  std::vector<InputFile> files_;
  LeftOut left_out_;
  std::vector<fs::path> open_folders_;  // from the input down to where the walk is
};

}  // namespace

std::string_view to_string(InputFormat format) {
  switch (format) {
    case InputFormat::kFasta:
      return "fasta";
    case InputFormat::kCsv:
      return "csv";
    case InputFormat::kTsv:
      return "tsv";
    case InputFormat::kJsonLines:
      return "jsonl";
    case InputFormat::kParquet:
      return "parquet";
    case InputFormat::kImages:
      break;
  }
  return "images";
}

Compression compression_of_name(std::string_view name) {
  constexpr std::pair<std::string_view, Compression> kCompressedEndings[] = {
      {".gz", Compression::kGzip}, {".zst", Compression::kZstd}, {".bz2", Compression::kBzip2},
      {".lz4", Compression::kLz4}, {".xz", Compression::kXz},
  };
  for (const auto& [ending, compression] : kCompressedEndings) {
    if (ends_with_ignoring_case(name, ending)) {
      return compression;
    }
  }
  return Compression::kNone;
}

std::optional<NamedFormat> format_of_name(std::string_view name) {
  const Compression compression = compression_of_name(name);
  if (compression != Compression::kNone) {
    name = name.substr(0, name.rfind('.'));
  }
  for (const Ending& known : kEndings) {
    const bool whole = known.format == InputFormat::kParquet;
    if (ends_with_ignoring_case(name, known.ending) &&
        !(whole && compression != Compression::kNone)) {
      return NamedFormat{known.format, compression};
    }
  }
  return std::nullopt;
}

InputFiles list_sequence_inputs(const InputSettings& settings) {
  return Lister(settings).list();
}

PathList::PathList(const std::string& path, const std::vector<std::string>& keep_columns,
                   const std::optional<std::string>& id_column, const std::function<bool()>& stop)
    : keep_columns_(keep_columns), in_list_(keep_columns.size(), false) {
  SourceSettings settings;
  const auto named = format_of_name(path);
  if (!named || named->compression != Compression::kNone ||
      (named->format != InputFormat::kCsv && named->format != InputFormat::kTsv)) {
    lines_ = std::make_unique<LineScanner>(open_byte_source(path, stop), path,
                                           settings.max_line_bytes, settings.block_bytes, true);
    return;
  }
  settings.name = path;
  settings.format = named->format;
  settings.sequence_column = "path";
  settings.list_of_paths = true;
  settings.id_column = id_column;
  settings.keep_columns = keep_columns;
  // A column that the list does not have may be in the files.
  settings.listed.assign(keep_columns.size(), std::string());
  table_ = std::make_unique<DelimitedReader>(open_byte_source(path, stop), settings);
  const auto& header = table_->header();
  for (std::size_t i = 0; i < keep_columns.size(); ++i) {
    in_list_[i] = std::find(header.begin(), header.end(), keep_columns[i]) != header.end();
  }
}

PathList::~PathList() = default;

LeftOut PathList::left_out() const {
  return table_ ? table_->left_out() : LeftOut{};
}

std::optional<ListedPath> PathList::next() {
  ListedPath listed;
  listed.kept.resize(keep_columns_.size());
  if (table_) {
    Record record;
    if (!table_->next(record)) {
      return std::nullopt;
    }
    // A path may be of any bytes.
    if (record.defect && record.defect->reason != Reason::kNotUtf8) {
      listed.defect = std::move(record.defect);
      if (listed.defect->reason == Reason::kEmpty) {
        listed.defect->message = "the path is empty";
      }
    }
    listed.path = std::move(record.payload);
    listed.id = std::move(record.id);
    listed.line = record.line;
    for (std::size_t i = 0; i < keep_columns_.size(); ++i) {
      if (in_list_[i]) {
        listed.kept[i] = std::move(record.kept[i]);
      }
    }
    return listed;
  }
  Line line;
  do {
    if (!lines_->next(line)) {
      return std::nullopt;
    }
  } while (line.size == 0);
  if (line.too_long) {
    listed.defect = Defect{Reason::kLineTooLong, "is too long for a path"};
  }
  listed.path.assign(line.text);
  listed.line = line.number;
  return listed;
}

}  // namespace longhaul::input
