#include "vision/image_preprocessor.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "vision/decode.hpp"
#include "vision/difference_hash.hpp"
#include "vision/fit.hpp"
#include "vision/image_bytes.hpp"
#include "vision/image_kind.hpp"

namespace longhaul::vision {
namespace {

// Hands rows to two sinks.
class Both : public RowSink {
 public:
  Both(RowSink& first, RowSink& second) : first_(first), second_(second) {}
  void begin(const Extent& image, std::uint32_t denominator) override {
    first_.begin(image, denominator);
    second_.begin(image, denominator);
  }
  void row(const std::uint8_t* rgbx) override {
    first_.row(rgbx);
    second_.row(rgbx);
  }

 private:
  RowSink& first_;
  RowSink& second_;
};

std::uint64_t microseconds(double seconds) {
  return static_cast<std::uint64_t>(std::max(seconds, 0.0) * 1e6);
}

}  // namespace

ImagePreprocessor::ImagePreprocessor(const prepare::ImageSettings& settings)
    : settings_(settings), workers_(std::max<std::uint32_t>(settings.workers, 1)) {
  const Fit check(settings.image);
}

double ImagePreprocessor::seconds() const {
  return settings_.seconds ? settings_.seconds() : 0;
}

prepare::Prepared ImagePreprocessor::measure(Record record) const {
  prepare::Prepared prepared;
  prepared.defect = record.defect;
  prepared.record = std::move(record);
  prepared.tokens = 1;
  if (settings_.likeness) {
    prepared.record.kept.emplace_back();
  }
  return prepared;
}

void ImagePreprocessor::identify(std::span<prepare::Prepared> records) const {
  workers_.run(records.size(), [&](std::size_t i) {
    prepare::Prepared& prepared = records[i];
    if (prepared.defect || prepared.hash != Hash128{}) {
      return;
    }
    try {
      const double start = seconds();
      std::vector<std::uint8_t> bytes;
      const auto defect =
          read_image_bytes(input::place_from_payload(prepared.record.payload), bytes);
      totals_.reading_us += microseconds(seconds() - start);
      totals_.bytes += bytes.size();
      // Of what is no image not all bytes are read; what is wrong is said when it is assembled.
      if (!defect && sniff(bytes).kind != ImageKind::kNone) {
        prepared.hash = hash128({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      }
    } catch (const std::bad_alloc&) {
      // It stays unknown, and is tried again when it is assembled.
    }
  });
}

std::optional<Defect> ImagePreprocessor::prepare_image(prepare::Prepared& prepared,
                                                       std::span<std::uint8_t> pixels) const {
  try {
    const double start = seconds();
    std::vector<std::uint8_t> bytes;
    prepared.hash = {};  // of the bytes that are decoded, not of those that were looked at before
    std::optional<Defect> defect =
        read_image_bytes(input::place_from_payload(prepared.record.payload), bytes);
    const double read = seconds();
    totals_.reading_us += microseconds(read - start);
    totals_.bytes += bytes.size();
    if (defect) {
      return defect;
    }
    prepared.hash = hash128({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    DecodeOptions options{
        settings_.max_pixels, settings_.image.exif == "apply" ? Exif::kApply : Exif::kIgnore, {}};
    if (settings_.fast_decode) {
      options.denominator = [this](const Extent& image) {
        return scale_denominator(settings_.image, image);
      };
    }
    Fit fit(settings_.image);
    DifferenceHash likeness;
    Both both(fit, likeness);
    defect = decode(bytes, options, settings_.likeness ? static_cast<RowSink&>(both) : fit);
    if (!defect) {
      fit.finish(pixels);
      totals_.scaled += fit.scaled() ? 1 : 0;
      if (settings_.likeness) {
        prepared.likeness = likeness.value();
        prepared.record.kept.back() = to_hex(*prepared.likeness);
      }
      ++totals_.images;
    }
    if (defect && defect->reason == Reason::kNotAnImage) {
      prepared.hash = {};  // its bytes were not all read
    }
    totals_.decoding_us += microseconds(seconds() - read);
    return defect;
  } catch (const std::bad_alloc&) {
    return Defect{Reason::kOutOfMemory, "no memory to decode it"};
  }
}

prepare::Assembled ImagePreprocessor::assemble(std::span<const prepare::Row> images, std::uint32_t,
                                               std::uint32_t filled) const {
  const std::size_t image_bytes = std::size_t{3} * settings_.image.size * settings_.image.size;
  const std::size_t total_rows = std::max<std::size_t>(filled, images.size());
  prepare::Assembled assembled;
  encode::HostBatch& batch = assembled.batch;
  batch.pixels.resize(total_rows * image_bytes);
  std::vector<std::optional<Defect>> defects(images.size());
  workers_.run(images.size(), [&](std::size_t i) {
    defects[i] = prepare_image(*images[i].prepared,
                               std::span(batch.pixels).subspan(i * image_bytes, image_bytes));
  });
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (defects[i]) {
      assembled.rejected.push_back({static_cast<std::uint32_t>(i), std::move(*defects[i])});
      continue;
    }
    if (const std::optional<std::uint64_t> first =
            settings_.duplicate_of ? settings_.duplicate_of(*images[i].prepared) : std::nullopt) {
      assembled.duplicates.push_back({static_cast<std::uint32_t>(i), *first});
      continue;
    }
    const std::size_t row = assembled.accepted.size();
    if (row != i) {
      std::memcpy(&batch.pixels[row * image_bytes], &batch.pixels[i * image_bytes], image_bytes);
    }
    assembled.accepted.push_back(static_cast<std::uint32_t>(i));
  }
  batch.used_rows = static_cast<std::uint32_t>(assembled.accepted.size());
  batch.rows = std::max(filled, batch.used_rows);
  batch.pixels.resize(batch.rows * image_bytes);
  std::fill(batch.pixels.begin() + static_cast<std::ptrdiff_t>(batch.used_rows * image_bytes),
            batch.pixels.end(), std::uint8_t{0});
  batch.lengths.assign(batch.rows, 0);
  std::fill_n(batch.lengths.begin(), batch.used_rows, 1U);
  return assembled;
}

nlohmann::json ImagePreprocessor::report() const {
  const auto of = [](const std::atomic<std::uint64_t>& us) {
    return static_cast<double>(us.load()) / 1e6;
  };
  nlohmann::json report = {{"workers", settings_.workers},
                           {"images", totals_.images.load()},
                           {"bytes", totals_.bytes.load()},
                           {"seconds_reading", of(totals_.reading_us)},
                           {"seconds_decoding", of(totals_.decoding_us)}};
  if (settings_.fast_decode) {
    report["scaled"] = totals_.scaled.load();
  }
  return report;
}

}  // namespace longhaul::vision
