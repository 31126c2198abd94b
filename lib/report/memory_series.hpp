// memory.jsonl as a few hundred points to draw: of each stretch the highest reading, so that no
// peak is lost. Memory is that of the points. One thread. Errors: kIo; kInterrupted.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "report/record_facts.hpp"

namespace longhaul::report {

struct MemoryPoint {
  std::uint64_t session = 0;  // from 0; a new one where the clock of the samples begins again
  double seconds = 0;         // since the session began, of the stretch's last sample
  std::optional<double> records;
  std::optional<double> rss;     // bytes
  std::optional<double> live;    // bytes that the encoder's tensors take on the CPU
  std::optional<double> device;  // bytes allocated on the device
};

struct MemorySeries {
  std::vector<MemoryPoint> points;
  std::uint64_t samples = 0;
  std::uint64_t unreadable = 0;  // lines; the last one of a run that was killed is often half
};

// `most_points` is exceeded up to twice, and where there are more sessions.
MemorySeries read_memory_series(Files& files, const std::string& path, std::size_t most_points,
                                const Stop& stop);

// Arrays of the points, with records a second from one to the next, and how many samples there are.
nlohmann::ordered_json to_json(const MemorySeries& series);

}  // namespace longhaul::report
