#include "domain/outcome.hpp"

#include <array>

namespace longhaul {
namespace {

struct ReasonText {
  Reason reason;
  std::string_view name;
  std::string_view remedy;
};

constexpr std::array kReasons{
    ReasonText{Reason::kEmpty, "empty", "fill in the record or remove it"},
    ReasonText{Reason::kInvalidCharacter, "invalid_character", "correct the sequence"},
    ReasonText{
        Reason::kTooLong, "too_long",
        "use --retry-rejects --too-long truncate or window, or embed into another --output with a "
        "higher --max-length"},
    ReasonText{Reason::kNotUtf8, "not_utf8", "convert the input to UTF-8"},
    ReasonText{Reason::kMissingValue, "missing_value", "fill in the sequence"},
    ReasonText{Reason::kWrongFieldCount, "wrong_field_count",
               "check the quoting and the separators of that line"},
    ReasonText{Reason::kLineTooLong, "line_too_long", "break the line: it holds at most 64 MiB"},
    ReasonText{Reason::kBadJson, "bad_json", "make each line one JSON object"},
    ReasonText{Reason::kBadRecord, "bad_record", "check the input around that line"},
    ReasonText{Reason::kTruncated, "truncated", "get the whole file: its end is missing"},
    ReasonText{Reason::kDamaged, "damaged",
               "restore the file from a copy, or, if it opens elsewhere, save it anew as PNG"},
    ReasonText{Reason::kNotAnImage, "not_an_image",
               "remove the file or list images with --files-from"},
    ReasonText{Reason::kTooManyPixels, "too_many_pixels",
               "use --retry-rejects with a higher --max-pixels"},
    ReasonText{Reason::kUnsupported, "unsupported", "convert the file to PNG or JPEG"},
    ReasonText{Reason::kUnreadable, "unreadable", "check that the file exists and may be read"},
    ReasonText{Reason::kOutOfMemory, "out_of_memory",
               "use --retry-rejects on a machine with more memory"},
    ReasonText{Reason::kNotFinite, "not_finite",
               "check the model; what fp16 files cannot hold, --output-dtype fp32 may"},
};

const ReasonText& text_of(Reason reason) {
  return kReasons.at(static_cast<std::size_t>(reason));
}

}  // namespace

std::string_view to_string(Reason reason) {
  return text_of(reason).name;
}
std::string_view remedy(Reason reason) {
  return text_of(reason).remedy;
}

std::string_view remedy(const Defect& defect) {
  return defect.remedy.empty() ? remedy(defect.reason) : std::string_view(defect.remedy);
}

std::string what_to_do(const Defect& defect) {
  std::string text(remedy(defect));
  if (text.find("--retry-rejects") == std::string::npos) {
    text += ", then embed into another --output or with --overwrite";
  }
  return text;
}

std::optional<Reason> reason_from_string(std::string_view text) {
  for (const ReasonText& entry : kReasons) {
    if (entry.name == text) {
      return entry.reason;
    }
  }
  return std::nullopt;
}

}  // namespace longhaul
