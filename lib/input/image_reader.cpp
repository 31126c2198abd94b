#include "input/image_reader.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/start_thread.hpp"
#include "base/text.hpp"
#include "input/image_source.hpp"
#include "input/input_list.hpp"
#include "input/source_content.hpp"

namespace longhaul::input {
namespace {

namespace fs = std::filesystem;

bool is_packed_tar(const std::string& path) {
  for (const char* ending : {".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"}) {
    if (ends_with_ignoring_case(path, ending)) {
      return true;
    }
  }
  return false;
}

// A file of sequences by its name or its first line: its records would be so many rejects.
void refuse_sequences(const std::string& path) {
  const auto named = format_of_name(path);
  std::optional<InputFormat> format = named ? std::optional(named->format) : std::nullopt;
  if (!format && fs::is_regular_file(path)) {
    SourceSettings settings;
    settings.name = path;
    PeekedSource text(open_byte_source(path));
    format = format_of_content(text, settings);
  }
  if (format) {
    throw Error(ExitCode::kBadData,
                "this model takes images; " + printable(path, 400) + " is a file of sequences (" +
                    std::string(to_string(*format)) + ")",
                "give folders, .tar archives or image files; a list of image paths goes with "
                "--files-from");
  }
}

// The inputs of the settings by number; the last is the list, if there is one.
std::unique_ptr<ImageSource> open_source(const InputSettings& settings, std::size_t number) {
  if (number == settings.inputs.size()) {
    return open_image_list(settings);
  }
  const std::string& input = settings.inputs[number];
  std::error_code error;
  if (input == "-") {
    throw Error(ExitCode::kUsage, "images cannot be read from standard input",
                "give folders, .tar archives or image files, or a list with --files-from");
  }
  const fs::file_status status = fs::status(input, error);
  if (!fs::exists(status)) {
    throw Error(ExitCode::kIo,
                "cannot open " + printable(input, 400) + ": " +
                    (error ? error.message() : "no such file or folder"),
                "check the path");
  }
  if (fs::is_directory(status)) {
    return open_image_folder(input);
  }
  if (is_packed_tar(input)) {
    throw Error(ExitCode::kUsage, printable(input, 400) + " is a compressed archive",
                "decompress it to .tar: images are read from where they are in it");
  }
  if (ends_with_ignoring_case(input, ".tar")) {
    return open_image_tar(input);
  }
  refuse_sequences(input);
  return open_single_image(input);
}

// Counts the images of all inputs in a thread of its own. What goes wrong here goes wrong for the
// reader too, which says so.
class Counter {
 public:
  Counter(const InputSettings& settings, std::size_t sources)
      : thread_(start_thread([this, settings, sources] { count(settings, sources); })) {}
  ~Counter() {
    stop_ = true;
    thread_.join();
  }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  std::optional<std::uint64_t> total() const {
    return known_ ? std::optional(total_.load()) : std::nullopt;
  }

 private:
  void count(const InputSettings& settings, std::size_t sources) {
    try {
      std::uint64_t total = 0;
      for (std::size_t i = 0; i < sources; ++i) {
        const std::unique_ptr<ImageSource> source = open_source(settings, i);
        for (Record record; source->next(record); record = {}) {
          if (stop_) {
            return;
          }
          ++total;
        }
      }
      total_ = total;
      known_ = true;
    } catch (const std::exception&) {
      known_ = false;
    }
  }

  std::atomic<std::uint64_t> total_{0};
  std::atomic<bool> known_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: it uses the others
};

class ImageReader : public RecordReader {
 public:
  explicit ImageReader(const InputSettings& settings)
      : settings_(settings), sources_(settings.inputs.size() + (settings.files_from ? 1 : 0)) {
    if (sources_ == 0) {
      throw Error(ExitCode::kUsage, "no input is named",
                  "name folders, .tar archives or image files, or give a list with --files-from");
    }
    if (settings.format && *settings.format != InputFormat::kImages) {
      throw Error(ExitCode::kUsage,
                  "this model takes images; --format " + std::string(to_string(*settings.format)) +
                      " is of sequences",
                  "leave out --format");
    }
    if (!settings.keep_columns.empty() && !settings.inputs.empty()) {
      throw Error(ExitCode::kUsage,
                  "--keep-column has nothing to keep of " + printable(settings.inputs.front(), 400),
                  "list the images in a CSV file with a path column and give it with --files-from");
    }
    for (std::size_t i = 0; i < sources_; ++i) {
      std::unique_ptr<ImageSource> source = open_source(settings_, i);  // now, not in an hour
      if (i == settings_.inputs.size() && !identify_source(*settings_.files_from).regular) {
        stream_list_ = true;
        list_ = std::move(source);
      }
    }
    first_ = read();
    if (!first_) {
      throw Error(
          ExitCode::kBadData,
          (settings.inputs.empty() ? "the list " + printable(*settings.files_from, 400)
                                   : printable(settings.inputs.front(), 400)) +
              " holds no images" + (passed_.empty() ? "" : ", but " + to_string(passed_)),
          "they are known by names that end in jpg, jpeg, png, webp, bmp, tif, tiff, gif, avif, "
          "heic or heif; a list given with --files-from may name any file");
    }
    if (stream_list_) {
      return;  // counting would take from the pipe what is to be read
    }
    try {
      counter_.emplace(settings_, sources_);
    } catch (const Error&) {
      // Without a thread for it the number stays unknown.
    }
  }

  std::optional<Record> next() override {
    if (first_) {
      return std::exchange(first_, std::nullopt);
    }
    return read();
  }

  const std::vector<std::string>& kept_columns() const override { return settings_.keep_columns; }

  InputPosition position() const override {
    if (first_) {
      return {0, 0, "source=0"};
    }
    std::string cursor = "source=" + std::to_string(source_);
    LeftOut left_out = passed_;
    if (current_) {
      cursor += " after=" + current_->cursor();
      left_out.add(current_->left_out());
    }
    return {position_, position_, std::move(cursor), std::move(left_out)};
  }

  bool seek(const InputPosition& position) override {
    if (stream_list_) {
      const bool stands_there = position.cursor == this->position().cursor;
      if (stands_there || !list_) {
        return stands_there;  // what a pipe gave is gone
      }
    }
    constexpr std::string_view kSource = "source=";
    constexpr std::string_view kAfter = " after=";
    const std::string_view cursor = position.cursor;
    if (!cursor.starts_with(kSource)) {
      return false;
    }
    const std::size_t after = cursor.find(kAfter);
    const auto number = parse_count(cursor.substr(
        kSource.size(), after == std::string_view::npos ? after : after - kSource.size()));
    if (!number || *number > sources_) {
      return false;
    }
    std::unique_ptr<ImageSource> entered;
    if (after != std::string_view::npos) {
      if (*number == sources_) {
        return false;
      }
      const bool stands_in_it = current_ && *number == source_;
      if (!stands_in_it) {
        entered = take_source(*number);
      }
      if (!(stands_in_it ? current_ : entered)->seek(cursor.substr(after + kAfter.size()))) {
        return false;
      }
      if (stands_in_it) {
        entered = std::move(current_);
      }
    }
    first_.reset();
    source_ = *number;
    current_ = std::move(entered);
    position_ = position.position;
    passed_ = position.left_out;
    return true;
  }

  void leave_uncounted() override { counter_.reset(); }

  InputProgress progress() const override {
    InputProgress progress;
    progress.records_total = counter_ ? counter_->total() : std::nullopt;
    return progress;
  }

  std::vector<SourceIdentity> sources() const override {
    std::vector<SourceIdentity> files;
    for (const std::string& input : settings_.inputs) {
      if (!fs::is_directory(input)) {
        files.push_back(identify_source(input));
      }
    }
    if (settings_.files_from) {
      files.push_back(identify_source(*settings_.files_from));
    }
    return files;
  }

  bool sources_tell_all() const override {
    return !settings_.files_from &&
           std::none_of(settings_.inputs.begin(), settings_.inputs.end(),
                        [](const std::string& input) { return fs::is_directory(input); });
  }

 private:
  std::unique_ptr<ImageSource> take_source(std::size_t number) {
    return number == settings_.inputs.size() && list_ ? std::move(list_)
                                                      : open_source(settings_, number);
  }

  std::optional<Record> read() {
    while (source_ < sources_) {
      if (!current_) {
        current_ = take_source(source_);
      }
      Record record;
      if (current_->next(record)) {
        record.source =
            source_ < settings_.inputs.size() ? settings_.inputs[source_] : *settings_.files_from;
        record.kept.resize(settings_.keep_columns.size());
        record.position = position_;
        record.row = position_++;
        return record;
      }
      passed_.add(current_->left_out());
      const std::string warning = current_->warning();
      if (!warning.empty() && settings_.log != nullptr) {
        settings_.log->warning(warning);
      }
      current_.reset();
      ++source_;
    }
    return std::nullopt;
  }

  InputSettings settings_;
  std::size_t sources_;
  std::size_t source_ = 0;
  std::unique_ptr<ImageSource> current_;
  bool stream_list_ = false;           // the list is a pipe, which is opened once,
  std::unique_ptr<ImageSource> list_;  // and waits here for its turn
  std::uint64_t position_ = 0;
  LeftOut passed_;               // in the sources before the current one
  std::optional<Record> first_;  // read to see that there is one
  std::optional<Counter> counter_;
};

}  // namespace

std::unique_ptr<RecordReader> open_images(const InputSettings& settings) {
  return std::make_unique<ImageReader>(settings);
}

}  // namespace longhaul::input
