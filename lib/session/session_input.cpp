#include "session/session_input.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "session/run_identity.hpp"
#include "session/session_checks.hpp"

namespace longhaul::session {
namespace {

// A session that continues in the place of an earlier one looks at nothing again that files tell.
InputMatch match_of(const SessionInput& input, const nlohmann::json& recorded, bool continues) {
  return continues ? compare_sources(recorded, input.sources)
                   : compare_input(recorded, *input.reader);
}

void find(SessionInput& input, input::DigestedReader& whole, InputMatch match,
          const std::string& output, const Host& host, const std::function<bool()>& stop) {
  store::Progress& from = *input.from;
  const std::uint64_t done = from.position;
  find_position(whole, match, from, host.files, output, stop);
  if (match == InputMatch::kReadAgain && done > 0 && !keep_window(input.reader, from, output)) {
    host.log.info("the input has grown, or its images have other times, after record " +
                  format_count(from.window_start) + ": the last " + format_count(done) +
                  " records that were embedded are embedded again");
  }
  input.window_dropped = from.position != done;
}

SessionInput open(Mode& mode, const config::RunConfig& config, const encode::EncoderCard& card,
                  const Host& host, bool continues, const std::function<bool()>& stop) {
  SessionInput input;
  std::unique_ptr<input::RecordReader> opened =
      host.workshop.make_reader(config, card, stop, &host.log);
  auto selected = mode.select(
      std::move(opened), [&] { return host.workshop.make_reader(config, card, stop, nullptr); });
  input::DigestedReader& whole = *selected;  // stays what input.reader gives from
  input.reader = std::move(selected);
  input.sources = input.reader->sources();
  require_recyclable(config, input.sources);
  const std::optional<store::StoreState>& state = mode.directory()->state();
  if (!state) {
    return input;
  }
  const nlohmann::json recorded = recorded_sources(*state);
  input.other_files = describe_sources(input.sources) != recorded;
  input.from = state->progress;
  if (input.from) {
    find(input, whole, match_of(input, recorded, continues), mode.facts().output, host, stop);
  }
  return input;
}

}  // namespace

SessionInput open_session_input(Mode& mode, const config::RunConfig& config,
                                const encode::EncoderCard& card, const Host& host, bool continues,
                                const std::function<bool()>& stop) {
  return require_input(mode, [&] { return open(mode, config, card, host, continues, stop); });
}

}  // namespace longhaul::session
