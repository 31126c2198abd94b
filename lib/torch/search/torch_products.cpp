#include "torch/search/torch_products.hpp"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include "torch/device/open_device.hpp"
#include "torch/graph/fused_operators.hpp"
#include "torch/process/torch_errors.hpp"

namespace longhaul::torch_room {
namespace {

using score::Candidate;
using score::Floor;
using score::VectorBlock;

// A tile of a CPU stays in its cache until it is looked at; one of a GPU is as large as lets all of
// it work.
constexpr std::size_t kCpuTile = 1024;
static_assert(kCpuTile * kCpuTile <= score::kMostTile);
constexpr std::size_t kDeviceTile = 4096;
constexpr std::int64_t kQueriesAtOnce = 64;  // of one thread's look at a tile

at::Tensor borrowed(std::span<const float> values, std::size_t rows, std::size_t width) {
  // Nothing is written through it.
  return at::from_blob(const_cast<float*>(values.data()),
                       {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(width)},
                       at::TensorOptions().dtype(at::kFloat));
}

at::Tensor rows_of(const VectorBlock& block, std::size_t first, std::size_t rows) {
  return borrowed(block.values.subspan(first * block.width, rows * block.width), rows, block.width);
}

// Whatever LibTorch throws, as what it means for a command.
template <typename Work>
void guarded(Work work) {
  try {
    work();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    if (classify_failure(failure) == FailureKind::kOutOfMemory) {
      throw Error(ExitCode::kMemory, "the search ran out of memory: " + failure_text(failure),
                  "give a smaller --memory-limit, so that less is held at a time");
    }
    throw Error(ExitCode::kUnavailable, "the device failed: " + failure_text(failure),
                "try again later, or choose --device cpu");
  }
}

// The queries are packed once, as a linear layer's weights: oneDNN's product is twice as fast as
// MKL's on some processors.
class CpuProducts : public score::Products {
 public:
  std::string device() const override { return "cpu"; }

  void set_queries(const VectorBlock& queries) override {
    queries_ = queries;
    tiles_.clear();
    guarded([&] {
      const c10::InferenceMode inference;
      for (std::size_t first = 0; first < queries.rows; first += kCpuTile) {
        const at::Tensor tile = rows_of(queries, first, std::min(kCpuTile, queries.rows - first));
        tiles_.push_back(packed_ ? pack_weight(tile, kCpuTile) : tile.t());
      }
    });
  }

  void find(const VectorBlock& rows, std::span<const float> bias, std::span<const Floor> floors,
            std::size_t count, const score::TakeCandidates& take) override {
    guarded([&] {
      const c10::InferenceMode inference;
      found_.clear();
      for (std::size_t row = 0; row < rows.rows; row += kCpuTile) {
        const std::size_t height = std::min(kCpuTile, rows.rows - row);
        const at::Tensor block = rows_of(rows, row, height);
        for (std::size_t i = 0; i < tiles_.size(); ++i) {
          const at::Tensor values =
              packed_ ? packed_linear(block, tiles_[i], std::nullopt, "none", std::nullopt)
                      : at::mm(block, tiles_[i]);
          look_at(values, static_cast<std::uint32_t>(row), i * kCpuTile, bias, floors, count);
          score::hand_on(found_, take);
        }
      }
      score::hand_on(found_, take, 0);
    });
  }

 private:
  void look_at(const at::Tensor& values, std::uint32_t row, std::size_t query,
               std::span<const float> bias, std::span<const Floor> floors, std::size_t count) {
    const float* const data = values.const_data_ptr<float>();
    const auto stride = static_cast<std::size_t>(values.size(1));
    at::parallel_for(0, values.size(1), kQueriesAtOnce, [&](std::int64_t begin, std::int64_t end) {
      const auto first = static_cast<std::size_t>(begin);
      std::vector<Candidate> own;
      score::find_in_tile(
          {data + first, stride, row, static_cast<std::size_t>(values.size(0)),
           static_cast<std::uint32_t>(query + first)},
          bias, floors.subspan(query + first, static_cast<std::size_t>(end) - first), count, own);
      const std::lock_guard lock(mutex_);
      found_.insert(found_.end(), own.begin(), own.end());
    });
  }

  const bool packed_ = has_packed_linear(at::kFloat);
  VectorBlock queries_;
  std::vector<at::Tensor> tiles_;
  std::vector<Candidate> found_;
  std::mutex mutex_;  // of what is found
};

// Looks at a tile where it is: only what is great enough comes back.
class DeviceProducts : public score::Products {
 public:
  explicit DeviceProducts(std::unique_ptr<TorchDevice> device) : device_(std::move(device)) {
    auto& context = at::globalContext();
    context.setAllowTF32CuBLAS(false);
    context.setAllowTF32CuDNN(false);
  }
  std::string device() const override { return device_->name(); }

  void set_queries(const VectorBlock& queries) override {
    guarded([&] {
      const c10::InferenceMode inference;
      queries_ = rows_of(queries, 0, queries.rows).to(device_->torch());
    });
  }

  void find(const VectorBlock& rows, std::span<const float> bias, std::span<const Floor> floors,
            std::size_t count, const score::TakeCandidates& take) override {
    guarded([&] {
      const c10::InferenceMode inference;
      found_.clear();
      at::Tensor limits = sent(floors);
      for (std::size_t row = 0; row < rows.rows; row += kDeviceTile) {
        const std::size_t height = std::min(kDeviceTile, rows.rows - row);
        const at::Tensor block = rows_of(rows, row, height).to(device_->torch()).t();
        at::Tensor biases;
        if (!bias.empty()) {
          biases = borrowed(bias.subspan(row, height), 1, height).to(device_->torch());
        }
        for (std::size_t query = 0; query < floors.size(); query += kDeviceTile) {
          const auto queries =
              static_cast<std::int64_t>(std::min(kDeviceTile, floors.size() - query));
          const auto first = static_cast<std::int64_t>(query);
          at::Tensor values = at::mm(queries_.narrow(0, first, queries), block);
          if (biases.defined()) {
            values.add_(biases);
          }
          look_at(
              values, limits.narrow(1, first, queries), count,
              {.query = static_cast<std::uint32_t>(query), .row = static_cast<std::uint32_t>(row)},
              take);
          if (score::hand_on(found_, take)) {
            limits = sent(floors);
          }
        }
      }
      score::hand_on(found_, take, 0);
    });
  }

 private:
  at::Tensor sent(std::span<const Floor> floors) const {
    const auto options = at::TensorOptions().dtype(at::kFloat);
    at::Tensor limits = at::empty({2, static_cast<std::int64_t>(floors.size())}, options);
    for (std::size_t i = 0; i < floors.size(); ++i) {
      limits.data_ptr<float>()[i] = floors[i].at_least;
      limits.data_ptr<float>()[floors.size() + i] = floors[i].slack;
    }
    return limits.to(device_->torch());
  }

  // `first` is the tile's place.
  void look_at(const at::Tensor& values, const at::Tensor& limits, std::size_t count,
               const Candidate& first, const score::TakeCandidates& take) {
    const auto most = static_cast<std::int64_t>(score::most_candidates(count));
    at::Tensor least = limits[0].unsqueeze(1);
    at::Tensor reached = values.lt(least).logical_not();
    auto found = reached.sum().item<std::int64_t>();
    if (values.size(1) > most && found > most * values.size(0)) {
      const auto asked = static_cast<std::int64_t>(count);
      const at::Tensor greatest = std::get<0>(values.topk(asked, 1)).narrow(1, asked - 1, 1);
      least = at::maximum(least, greatest - limits[1].unsqueeze(1));
      reached = values.lt(least).logical_not();
      found = reached.sum().item<std::int64_t>();
    }
    // Where nearly all of a tile is equally near, it comes in parts.
    const auto at_once = static_cast<std::int64_t>(score::kMostTile);
    const std::int64_t lines =
        found <= at_once ? values.size(0) : std::max<std::int64_t>(1, at_once / values.size(1));
    for (std::int64_t line = 0; line < values.size(0); line += lines) {
      const std::int64_t height = std::min(lines, values.size(0) - line);
      bring(values.narrow(0, line, height), reached.narrow(0, line, height),
            {.query = first.query + static_cast<std::uint32_t>(line), .row = first.row});
      if (line + height < values.size(0)) {
        score::hand_on(found_, take);
      }
    }
  }

  void bring(const at::Tensor& values, const at::Tensor& reached, const Candidate& first) {
    const at::Tensor kept = values.masked_select(reached).cpu();
    const at::Tensor host = reached.nonzero().cpu();
    const std::int64_t* const place = host.const_data_ptr<std::int64_t>();
    const float* const value = kept.const_data_ptr<float>();
    for (std::int64_t i = 0; i < host.size(0); ++i) {
      found_.push_back({first.query + static_cast<std::uint32_t>(place[2 * i]),
                        first.row + static_cast<std::uint32_t>(place[2 * i + 1]), value[i]});
    }
  }

  std::unique_ptr<TorchDevice> device_;
  at::Tensor queries_;
  std::vector<Candidate> found_;
};

}  // namespace

std::unique_ptr<score::Products> make_products(const std::string& name, std::uint32_t threads) {
  at::set_num_threads(static_cast<int>(threads));
  std::unique_ptr<TorchDevice> device = open_torch_device(name, std::make_shared<LiveBytes>());
  if (device->kind() == device::DeviceKind::kCpu) {
    return std::make_unique<CpuProducts>();
  }
  return std::make_unique<DeviceProducts>(std::move(device));
}

}  // namespace longhaul::torch_room
