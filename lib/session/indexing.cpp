#include "session/indexing.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "session/input_hashes.hpp"
#include "session/session_checks.hpp"
#include "session/shard_index.hpp"
#include "store/embedding_store.hpp"
#include "store/shards.hpp"
#include "store/store_directory.hpp"

namespace longhaul::session {
namespace {

class Indexing {
 public:
  Indexing(const config::RunConfig& config, const encode::EncoderCard& card,
           const IndexingHost& host, std::uint64_t stretch)
      : config_(config),
        card_(card),
        host_(host),
        files_(host.files),
        stretch_(stretch),
        path_(index_path(config.output)) {}

  input::InputIndex run() {
    const bool made_output = !files_.exists(config_.output);
    if (!made_output && !files_.exists(journal())) {
      store::require_room_for_shards(files_, config_.output);
    }
    reader_ = host_.workshop.make_reader(config_, card_, host_.stop, &host_.log);
    require_files();
    if (made_output) {
      files_.make_directory(config_.output);
    }
    try {
      const auto lock =
          store::lock_output(files_, config_.output, {.holder = host_.lock_holder, .adopt = {}});
      return locked();
    } catch (...) {
      if (made_output) {
        leave_nothing();
      }
      throw;
    }
  }

 private:
  static constexpr const char* kInItsPlace =
      "name another --output, or give --overwrite to index this input in its place";

  std::string journal() const {
    return store::path_in(config_.output, store::store_files::kJournal);
  }

  // They are read again, and by others.
  void require_files() const {
    for (const input::SourceIdentity& source : reader_->sources()) {
      if (!source.regular) {
        throw Error(ExitCode::kUsage,
                    (source.path == "-" ? "standard input" : printable(source.path, 400)) +
                        " is a stream, which has no index",
                    "write it to a file first");
      }
    }
  }

  input::InputIndex locked() {
    const std::optional<BegunShards> shards = begun_shards(files_, config_.output);
    if (shards && !shards->index) {
      throw Error(ExitCode::kMismatch,
                  "shards were begun in " + printable(config_.output, 400) + " without an index",
                  "go on with them as they are, name another --output, or remove the folder shards "
                  "to begin all of them anew");
    }
    if (files_.exists(path_) && !config_.overwrite) {
      const auto index = read_output_index(files_, config_.output);
      require_same(*index);
      if (!reader_->sources_tell_all() && !files_.exists(journal())) {
        return make(identity_of(*index));  // only a look at all of it can tell
      }
      host_.log.info(printable(path_, 400) + " is complete: nothing to do");
      return *index;
    }
    // Where shards go by one that is lost it is made again, though their merge has begun.
    if (files_.exists(journal()) && !shards) {
      throw Error(ExitCode::kMismatch,
                  printable(config_.output, 400) +
                      " holds an output already, and an index is of use before that",
                  "name another --output");
    }
    return make(shards ? shards->index : std::nullopt);
  }

  void require_same(const input::InputIndex& index) const {
    try {
      const std::vector<input::SourceIdentity> sources = reader_->sources();
      require_same_reading(index.header, reading_settings(config_, sources), sources,
                           printable(path_, 400));
    } catch (const Error& error) {
      throw Error(error.code(), error.what(), kInItsPlace);
    }
  }

  // `wanted`: what is there, or what shards go by, already.
  input::InputIndex make(const std::optional<IndexIdentity>& wanted) {
    const std::string aside = store::path_in(config_.output, store::kIndexAside);
    try {
      write(aside);
      input::InputIndex index = input::read_index(files_, aside, "give the same command again");
      if (wanted && *wanted != identity_of(index)) {
        const bool shards = store::has_shards(files_, config_.output);
        throw Error(ExitCode::kMismatch,
                    (shards ? "the shards in " + printable(config_.output, 400) +
                                  " go by the index of another input"
                            : printable(path_, 400) + " is the index of another input") +
                        ", or of other settings: of " + format_count(wanted->records) +
                        " records, and this one has " + format_count(index.records()) +
                        (wanted->records == index.records() ? ", with other content" : ""),
                    shards ? "restore the input, or index and embed it into another --output"
                           : kInItsPlace);
      }
      files_.rename(aside, path_);
      files_.sync_directory(config_.output);
      return index;
    } catch (...) {
      try {
        files_.remove(aside);
      } catch (const Error&) {
        // The first failure is what counts.
      }
      throw;
    }
  }

  void write(const std::string& aside) {
    const std::vector<input::SourceIdentity> sources = reader_->sources();
    const InputHashes hashes(files_to_hash(sources, config_, card_), nullptr);
    const std::unique_ptr<File> file = files_.open(aside, OpenMode::kCreate);
    file->truncate(0);
    input::write_index(
        *reader_,
        {stretch_, card_.modality == Modality::kImage, reading_settings(config_, sources),
         sizes_of(sources)},
        *file,
        [this](std::uint64_t records) {
          stop_if_asked();
          if (host_.progress) {
            host_.progress(records);
          }
        },
        [&] {
          hashes.wait(host_.stop);
          stop_if_asked();
          std::vector<std::string> known;
          for (const nlohmann::json& hash : hashes.so_far()) {
            known.push_back(hash.is_string() ? hash.get<std::string>() : "");
          }
          return known;
        });
    file->sync();
  }

  void stop_if_asked() const {
    if (host_.stop && host_.stop()) {
      throw Error(ExitCode::kInterrupted, "interrupted before the whole input was indexed",
                  "give the same command again: it begins anew");
    }
  }

  void leave_nothing() {
    try {
      files_.remove_directory(config_.output);
    } catch (const Error&) {
      // It holds something: others' work.
    }
  }

  const config::RunConfig& config_;
  const encode::EncoderCard& card_;
  const IndexingHost& host_;
  Files& files_;
  const std::uint64_t stretch_;
  const std::string path_;
  std::unique_ptr<input::RecordReader> reader_;
};

}  // namespace

input::InputIndex index_input(const config::RunConfig& config, const encode::EncoderCard& card,
                              const IndexingHost& host, std::uint64_t stretch) {
  return Indexing(config, card, host, stretch).run();
}

nlohmann::ordered_json summary_of(const input::InputIndex& index) {
  return {{"records", index.records()},
          {"stretches", index.stretches.size()},
          {"stretch", index.header.stretch},
          {"digest", to_hex(index.digest)},
          {"cost", index.cost}};
}

std::string in_words(const input::InputIndex& index) {
  const std::uint64_t stretches = index.stretches.size();
  return format_count(index.records()) + " records in " + format_count(stretches) +
         (stretches == 1 ? " stretch of " : " stretches of ") + format_count(index.header.stretch) +
         ", " + format_count(index.cost) + (index.header.images ? " bytes" : " residues");
}

}  // namespace longhaul::session
