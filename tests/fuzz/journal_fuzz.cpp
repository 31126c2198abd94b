// The journal: one that is read is written and read again as the same, and can be appended to.
// Checksums keep mutations out, so each input is read as it is and with its lines' checksums right.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "fuzz/property.hpp"
#include "store/journal_state.hpp"
#include "store/progress_json.hpp"

using namespace longhaul;
using namespace longhaul::store;

namespace {

// A file in memory; `content` outlives it.
class MemoryFile : public File {
 public:
  explicit MemoryFile(std::string& content) : content_(content) {}
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    content_.resize(std::max<std::size_t>(content_.size(), offset + bytes.size()));
    std::memcpy(content_.data() + offset, bytes.data(), bytes.size());
  }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
    const std::size_t at = std::min<std::size_t>(offset, content_.size());
    const std::size_t count = std::min(bytes.size(), content_.size() - at);
    std::memcpy(bytes.data(), content_.data() + at, count);
    return count;
  }
  std::uint64_t size() override { return content_.size(); }
  void truncate(std::uint64_t size) override { content_.resize(size); }
  void sync() override {}

 private:
  std::string& content_;
};

// The text with the checksum of every line that begins like one of a journal put right.
std::string sealed(std::string text) {
  constexpr std::size_t kDigits = 16;
  const std::size_t body = kJournalStart.size() + kDigits + 2;
  std::string crc(kDigits, '0');
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end - begin > body && text.compare(begin, kJournalStart.size(), kJournalStart) == 0) {
      RunningHash64 hash;
      hash.add(crc);
      hash.add(std::string_view(text).substr(begin + body, end - begin - body));
      crc = to_hex(hash.value());
      text.replace(begin + kJournalStart.size(), kDigits, crc);
    }
    begin = end + 1;
  }
  return text;
}

std::optional<JournalState> read(std::string& text) {
  MemoryFile file(text);
  return read_journal(file, "journal.jsonl");
}

// All of a state that a journal spells, but for lines and offsets.
std::string to_text(const JournalState& state) {
  nlohmann::ordered_json all{{"layout", to_json(state.run.layout)},
                             {"run", state.run.begin},
                             {"notes", state.run.notes},
                             {"claims", to_json(state.claims)}};
  if (state.run.progress) {
    all["progress"] = to_json(*state.run.progress);
  }
  return all.dump(1);
}

// The same state in a new journal: what a run that had done all of it at once would have written.
void check_written_again(const JournalState& state) {
  std::string text;
  {
    Journal journal(std::make_unique<MemoryFile>(text), JournalEnd{});
    journal.append("begin", {{"version", state.run.version},
                             {"layout", to_json(state.run.layout)},
                             {"run", state.run.begin}});
    for (const nlohmann::json& note : state.run.notes) {
      journal.append("note", {{"note", note}});
    }
    if (state.run.progress) {
      nlohmann::ordered_json commit = to_json(*state.run.progress);
      commit.update(to_json(state.claims));
      journal.append("commit", commit);
    }
  }
  const std::optional<JournalState> again = read(text);
  fuzz::require(again.has_value(), "a journal that was written is one", text);
  fuzz::require(to_text(*again) == to_text(state), "a journal is written as it was read",
                to_text(state) + "\n-- again:\n" + to_text(*again));
}

void check_appended(std::string text, const JournalState& state) {
  Journal(std::make_unique<MemoryFile>(text), state.end).append("note", {{"note", "more"}});
  const std::optional<JournalState> longer = read(text);
  fuzz::require(longer && !longer->end.torn && longer->end.lines == state.end.lines + 1 &&
                    longer->end.bytes == text.size(),
                "a journal can be appended to, torn or not", text);
  fuzz::require(longer->run.notes.size() == state.run.notes.size() + 1 &&
                    longer->run.finish == state.run.finish &&
                    longer->run.merging == state.run.merging,
                "a note claims nothing", text);
}

void check(std::string text) {
  try {
    const std::optional<JournalState> state = read(text);
    if (state) {
      check_written_again(*state);
      check_appended(text, *state);
    }
  } catch (const Error& error) {
    fuzz::require(error.code() == ExitCode::kBadData || error.code() == ExitCode::kMismatch,
                  "a bad journal is bad data, or of another version", error.what());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(fuzz::text_of(data, size));
  check(text);
  check(sealed(text));
  return 0;
}
