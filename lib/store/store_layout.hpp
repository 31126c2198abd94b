// What an output directory holds: the arrays, the columns that were kept, and the files' names.
// Values and pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/output_spec.hpp"

namespace longhaul::store {

// Columns of records.csv that it did not always have: false where it was begun before there was
// one.
struct LaterColumns {
  bool gaps = true;
  bool windows = true;
  friend bool operator==(const LaterColumns&, const LaterColumns&) = default;
};

struct StoreLayout {
  // In the order in which a row's checksum covers them. At least one.
  std::vector<OutputSpec> outputs;
  std::vector<std::string> kept_columns;
  LaterColumns later = {};
  friend bool operator==(const StoreLayout&, const StoreLayout&) = default;
};

// One vector a record, in embeddings.npy.
StoreLayout single_vector(std::uint32_t dimension, OutputDtype dtype = OutputDtype::kFp32,
                          std::vector<std::string> kept_columns = {},
                          const LaterColumns& later = {});

// The names in an output directory. clear() deletes these and no other.
namespace store_files {
constexpr const char* kEmbeddings = "embeddings.npy";
constexpr const char* kChecksums = "checksums.npy";
constexpr const char* kStamps = "stamps.npy";  // of images
constexpr const char* kRecords = "records.csv";
constexpr const char* kRejects = "rejects.csv";
constexpr const char* kReport = "run.json";
constexpr const char* kReportTemporary = "run.json.tmp";
constexpr const char* kRecordsNext = "records.csv.next";  // while a retry is merged
constexpr const char* kRejectsNext = "rejects.csv.next";
constexpr const char* kJournal = "journal.jsonl";
constexpr const char* kMemory = "memory.jsonl";  // the run writes it
constexpr const char* kLock = "longhaul.lock";   // there while a run holds the directory
}  // namespace store_files

// embeddings.npy, embeddings.LAYER.npy, tokens.npy.
std::string array_file(const OutputSpec& output);
// The same until the run is complete.
std::string partial_file(const OutputSpec& output);
// Of tokens: where each row's vectors begin.
std::string offsets_file(const OutputSpec& output);
// The one that will replace it, while a retry is merged.
std::string next_file(const std::string& name);
// Whether a file of this name is an array of ours, or part of one.
bool is_array_file(const std::string& name);

// Headers of .npy files: `vectors` is the rows of an output of kVector, the residues of kTokens.
std::string array_header(const OutputSpec& output, std::uint64_t vectors);
std::string offsets_header(std::uint64_t rows);
std::string checksums_header(std::uint64_t rows);

std::string path_in(const std::string& directory, const std::string& name);

}  // namespace longhaul::store
