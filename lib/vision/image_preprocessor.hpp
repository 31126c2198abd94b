// The Preprocessor of image runs: reads, decodes and fits the images of a batch, several at a time.
// measure() does nothing but name a shape, so that reading ahead is cheap; an image that turns out
// to be none is rejected by assemble(), which also gives each record the hash of its file's bytes.
// Any thread.
#pragma once

#include <atomic>
#include <memory>

#include "base/worker_pool.hpp"
#include "prepare/image_settings.hpp"
#include "prepare/preprocessor.hpp"

namespace longhaul::vision {

class ImagePreprocessor : public prepare::Preprocessor {
 public:
  // Throws Error(kBadData) for a card that cannot be served.
  explicit ImagePreprocessor(const prepare::ImageSettings& settings);

  prepare::Prepared measure(Record record) const override;
  void identify(std::span<prepare::Prepared> records) const override;
  prepare::Assembled assemble(std::span<const prepare::Row> images, std::uint32_t width,
                              std::uint32_t filled) const override;
  nlohmann::json report() const override;

 private:
  struct Totals {
    std::atomic<std::uint64_t> images{0};
    std::atomic<std::uint64_t> scaled{0};  // of them, decoded at a smaller scale
    std::atomic<std::uint64_t> bytes{0};
    std::atomic<std::uint64_t> reading_us{0};
    std::atomic<std::uint64_t> decoding_us{0};
  };

  std::optional<Defect> prepare_image(prepare::Prepared& prepared,
                                      std::span<std::uint8_t> pixels) const;
  double seconds() const;

  prepare::ImageSettings settings_;
  mutable WorkerPool workers_;
  mutable Totals totals_;
};

}  // namespace longhaul::vision
