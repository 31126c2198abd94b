// All that the page tells, as one JSON value: read from an output directory, finished or not, which
// is not changed. Memory does not grow with the rows. One thread calls. Errors: those of the store;
// kUsage for a column that was not kept; kInterrupted.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "report/pictures.hpp"
#include "report/vector_map.hpp"
#include "store/output_reader.hpp"

namespace longhaul::report {

struct ReportRequest {
  MapRequest map;
  std::string made;     // when, in UTC
  std::string version;  // of the program that makes the page
};

struct ReportContext {
  Files& files;
  Thumbnail thumbnail;  // none: no images are shown, and why is said
  Stop stop;
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;
};

// `run` is run.json with the state as the journal tells it (session/output_state.hpp).
nlohmann::ordered_json report_data(const store::OutputReader& output,
                                   const nlohmann::ordered_json& run, const ReportRequest& request,
                                   const ReportContext& context);

}  // namespace longhaul::report
