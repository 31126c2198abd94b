#include <sys/stat.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/image_source.hpp"
#include "input/input_list.hpp"

namespace longhaul::input {
namespace {

void identify(Record& record) {
  struct stat status {};
  // A file that is not there is found out when it is decoded.
  if (::stat(record.payload.c_str(), &status) == 0) {
#ifdef __APPLE__
    const timespec& modified = status.st_mtimespec;
#else
    const timespec& modified = status.st_mtim;
#endif
    record.stamp = {static_cast<std::uint64_t>(status.st_size), modified.tv_sec, modified.tv_nsec};
  }
}

class ImageList : public ImageSource {
 public:
  explicit ImageList(const InputSettings& settings)
      : settings_(settings), stream_(!identify_source(*settings.files_from).regular) {
    restart();
  }

  bool next(Record& record) override {
    std::optional<ListedPath> listed = paths_->next();
    if (!listed) {
      ended_ = true;
      return false;
    }
    ++given_;
    record.line = listed->line;
    record.id = !listed->id.empty()    ? std::move(listed->id)
                : listed->path.empty() ? "line " + std::to_string(listed->line)
                                       : listed->path;
    record.payload = std::move(listed->path);
    record.defect = std::move(listed->defect);
    for (std::size_t i = 0; i < listed->kept.size(); ++i) {
      if (!listed->kept[i]) {
        throw Error(ExitCode::kUsage,
                    "the list " + printable(*settings_.files_from, 400) + " has no column '" +
                        settings_.keep_columns[i] + "'",
                    "--keep-column names columns of a CSV or TSV list");
      }
      record.kept.push_back(std::move(*listed->kept[i]));
    }
    if (!record.defect) {
      identify(record);
    }
    return true;
  }

  std::string cursor() const override { return std::to_string(given_); }
  LeftOut left_out() const override { return paths_->left_out().since(before_); }

  // A list is short beside what it lists: it is read up to the place.
  bool seek(std::string_view cursor) override {
    const std::optional<std::uint64_t> count = parse_count(cursor);
    if (!count || (stream_ && *count < given_)) {
      return false;
    }
    if (*count < given_ || (ended_ && !stream_)) {  // what was passed over at its end was counted
      restart();
    }
    while (given_ < *count && paths_->next()) {
      ++given_;
    }
    before_ = paths_->left_out();
    return true;
  }

 private:
  void restart() {
    paths_ = std::make_unique<PathList>(*settings_.files_from, settings_.keep_columns,
                                        settings_.id_column, settings_.stop);
    given_ = 0;
    ended_ = false;
  }

  InputSettings settings_;
  bool stream_;  // read once: what it gave is gone
  std::unique_ptr<PathList> paths_;
  std::uint64_t given_ = 0;
  bool ended_ = false;
  LeftOut before_;  // of the list, up to where it was entered
};

class SingleImage : public ImageSource {
 public:
  explicit SingleImage(const std::string& path) : path_(path) {}

  bool next(Record& record) override {
    if (given_) {
      return false;
    }
    given_ = true;
    record.id = path_.substr(path_.rfind('/') + 1);
    record.payload = path_;
    identify(record);
    return true;
  }

  std::string cursor() const override { return given_ ? "1" : "0"; }
  LeftOut left_out() const override { return {}; }
  bool seek(std::string_view cursor) override {
    given_ = cursor == "1";
    return true;
  }

 private:
  std::string path_;
  bool given_ = false;
};

}  // namespace

std::unique_ptr<ImageSource> open_image_list(const InputSettings& settings) {
  return std::make_unique<ImageList>(settings);
}

std::unique_ptr<ImageSource> open_single_image(const std::string& path) {
  return std::make_unique<SingleImage>(path);
}

}  // namespace longhaul::input
