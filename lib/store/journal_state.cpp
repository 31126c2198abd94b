#include "store/journal_state.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "store/progress_json.hpp"

namespace longhaul::store {
namespace {

using nlohmann::json;

std::uint64_t hash_from(const json& text) {
  const auto& digits = text.get_ref<const std::string&>();
  std::uint64_t hash = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), hash, 16);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    throw Error(ExitCode::kBadData, "the journal holds '" + digits + "' where a hash belongs");
  }
  return hash;
}

struct Place {
  std::uint64_t number = 0;
  std::uint64_t offset = 0;
  std::size_t size = 0;
};

json read_line(File& file, const std::string& name, const Place& place) {
  std::string text(place.size, '\0');
  file.read_at(place.offset, std::as_writable_bytes(std::span(text.data(), text.size())));
  return parse_journal_line(name, {place.number, place.offset, "commit", text});
}

// The last commit, with the late outcomes of all commits of its window.
void read_commits(File& file, const std::string& name, const std::vector<Place>& commits,
                  JournalState& state) {
  if (commits.empty()) {
    return;
  }
  const json last = read_line(file, name, commits.back());
  Progress progress = progress_from_json(last, state.run.version);
  state.claims = claims_from_json(last);
  std::vector<std::vector<LateOutcome>> late{std::move(progress.late)};
  for (auto place = commits.rbegin() + 1; place != commits.rend(); ++place) {
    Progress earlier = progress_from_json(read_line(file, name, *place), state.run.version);
    // A window of which nothing was done, or no longer: it had changed (drop_window).
    if (earlier.window != progress.window || earlier.position == 0 || progress.position == 0) {
      break;
    }
    late.push_back(std::move(earlier.late));
  }
  progress.late.clear();
  for (auto part = late.rbegin(); part != late.rend(); ++part) {
    std::move(part->begin(), part->end(), std::back_inserter(progress.late));
  }
  state.run.progress = std::move(progress);
}

void read_begin(const json& line, const std::string& name, JournalState& state) {
  const json& version = line.at("version");
  if (!version.is_number_integer() || version < kOldestJournal || version > kJournalVersion) {
    throw Error(ExitCode::kMismatch,
                "the output was made by a longhaul with journal version " + version.dump() + " (" +
                    name + "); this one knows versions " + std::to_string(kOldestJournal) + " to " +
                    std::to_string(kJournalVersion),
                "use that longhaul, or another output directory");
  }
  state.run.version = version;
  state.run.layout = layout_from_json(line.at("layout"));
  state.run.begin = line.at("run");
}

}  // namespace

nlohmann::ordered_json to_json(const FileClaims& claims) {
  nlohmann::ordered_json object{{"extent", claims.extent}};
  for (const ArrayClaim& array : claims.arrays) {
    object["arrays"].push_back({{"rows", array.rows}, {"vectors", array.vectors}});
  }
  object["records"] = {{"bytes", claims.records_bytes}, {"hash", to_hex(claims.records_hash)}};
  object["rejects"] = {{"bytes", claims.rejects_bytes}, {"hash", to_hex(claims.rejects_hash)}};
  return object;
}

FileClaims claims_from_json(const json& commit) {
  FileClaims claims;
  claims.extent = commit.at("extent");
  claims.records_bytes = commit.at("records").at("bytes");
  claims.records_hash = hash_from(commit.at("records").at("hash"));
  claims.rejects_bytes = commit.at("rejects").at("bytes");
  claims.rejects_hash = hash_from(commit.at("rejects").at("hash"));
  if (commit.contains("arrays")) {
    for (const json& array : commit["arrays"]) {
      claims.arrays.push_back({array.at("rows"), array.at("vectors")});
    }
  }
  return claims;
}

json parse_journal_line(const std::string& name, const JournalLine& line) {
  json object = json::parse(line.text, nullptr, false);
  if (!object.is_object()) {
    throw Error(ExitCode::kBadData,
                name + ": line " + std::to_string(line.number + 1) + " is not a JSON object");
  }
  return object;
}

std::optional<JournalState> read_journal(File& file, const std::string& name) {
  JournalState state;
  std::vector<Place> commits;
  std::optional<json> retry;
  try {
    state.end = scan_journal(file, name, [&](const JournalLine& line) {
      if (line.number == 0) {
        read_begin(parse_journal_line(name, line), name, state);
      } else if (line.kind == "commit") {
        commits.push_back({line.number, line.offset, line.text.size()});
      } else if (line.kind == "note") {
        state.run.notes.push_back(parse_journal_line(name, line).at("note"));
      } else if (line.kind == "finish") {
        state.run.finish = parse_journal_line(name, line);
        state.run.merging = false;
      } else if (line.kind == "retry" && state.run.finish) {
        retry = parse_journal_line(name, line);
        ++state.run.retries;
        state.run.merging = true;
        state.run.finish.reset();
      } else {
        throw Error(ExitCode::kBadData, name + ": line " + std::to_string(line.number + 1) +
                                            " is of the unknown kind '" + std::string(line.kind) +
                                            "'");
      }
    });
    read_commits(file, name, commits, state);
    if (retry && state.run.progress) {
      state.claims = claims_from_json(*retry);
      state.run.progress->counters = retry->at("counters");
    }
  } catch (const json::exception& error) {
    throw Error(ExitCode::kBadData, name + " lacks what it should hold: " + error.what());
  }
  if (state.end.lines == 0) {
    return std::nullopt;
  }
  return state;
}

}  // namespace longhaul::store
