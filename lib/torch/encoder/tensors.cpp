#include "torch/encoder/tensors.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "base/error.hpp"
#include "encode/pooling.hpp"

namespace longhaul::torch_room {
namespace {

using torch::jit::IValue;

Error broken_contract(const std::string& what) {
  return {
      ExitCode::kBadData, "the model breaks its card: " + what,
      "correct the card (longhaul inspect MODEL --draft-card helps), or export the model again"};
}

c10::ScalarType integer_type(const std::string& dtype, Dtype computing) {
  if (dtype == "int32") {
    return c10::kInt;
  }
  if (dtype == "bool") {
    return c10::kBool;
  }
  return dtype == "float32" ? to_scalar_type(computing) : c10::kLong;
}

// A view of the batch's own tokens: valid while the batch is.
at::Tensor token_view(const encode::HostBatch& batch) {
  return at::from_blob(const_cast<std::int64_t*>(batch.tokens.data()), {batch.rows, batch.width},
                       c10::kLong);
}

at::Tensor mask_tensor(const encode::HostBatch& batch) {
  at::Tensor mask = at::zeros({batch.rows, batch.width}, c10::kLong);
  auto* cell = mask.mutable_data_ptr<std::int64_t>();
  for (std::uint32_t row = 0; row < batch.rows; ++row, cell += batch.width) {
    std::fill_n(cell, batch.lengths[row], 1);
  }
  return mask;
}

at::Tensor pixel_tensor(const encode::CardInput& input, const encode::ImageSpec& image,
                        const encode::HostBatch& batch, Copies& copies, Dtype dtype) {
  const std::int64_t size = image.size;
  const bool channels_last = image.layout == "NHWC";
  const std::vector<std::int64_t> shape =
      channels_last ? std::vector<std::int64_t>{batch.rows, size, size, 3}
                    : std::vector<std::int64_t>{batch.rows, 3, size, size};
  const at::Tensor pixels = copies.up(
      at::from_blob(const_cast<std::uint8_t*>(batch.pixels.data()), shape, c10::kByte), c10::kByte);
  if (input.dtype == "uint8") {
    return pixels;
  }
  const std::vector<std::int64_t> channels =
      channels_last ? std::vector<std::int64_t>{1, 1, 1, 3} : std::vector<std::int64_t>{1, 3, 1, 1};
  const auto per_channel = [&](const std::array<double, 3>& values) {
    return copies.up(at::tensor(c10::ArrayRef<double>(values), c10::kFloat).view(channels),
                     c10::kFloat);
  };
  // On a CPU convolutions are faster when a pixel's channels lie together.
  const auto format = copies.device().is_cpu() && !channels_last ? at::MemoryFormat::ChannelsLast
                                                                 : at::MemoryFormat::Preserve;
  return pixels.to(c10::kFloat, /*non_blocking=*/false, /*copy=*/true, format)
      .mul_(image.scale)
      .sub_(per_channel(image.mean))
      .div_(per_channel(image.std))
      .to(to_scalar_type(dtype));
}

std::string shape_text(const at::Tensor& tensor) {
  std::string text;
  for (const std::int64_t size : tensor.sizes()) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text.empty() ? "a single number" : text;
}

at::Tensor require_tensor(const IValue& value, const std::string& what) {
  if (!value.isTensor()) {
    throw broken_contract(what + " is a " + value.tagKind() + ", not a tensor");
  }
  return value.toTensor();
}

// As the card calls it.
std::string key_of(const encode::CardOutput& output) {
  return output.name.empty() ? "output_key" : "the key of output " + output.name;
}

at::Tensor element_at(const IValue& result, std::int64_t position, const std::string& key) {
  c10::ArrayRef<IValue> elements;
  if (result.isTuple()) {
    elements = result.toTupleRef().elements();
  } else if (result.isList()) {
    elements = result.toListRef();
  } else if (result.isTensorList()) {
    const auto list = result.toTensorVector();
    if (static_cast<std::size_t>(position) < list.size()) {
      return list[static_cast<std::size_t>(position)];
    }
  }
  if (static_cast<std::size_t>(position) >= elements.size()) {
    throw broken_contract(key + " is " + std::to_string(position) + ", but its output is a " +
                          result.tagKind() + " of " + std::to_string(elements.size()));
  }
  return require_tensor(elements[static_cast<std::size_t>(position)],
                        "output " + std::to_string(position));
}

std::string key_list(const IValue& result) {
  std::string keys;
  for (const auto& entry : result.toGenericDict()) {
    if (entry.key().isString()) {
      keys += (keys.empty() ? "" : ", ") + entry.key().toStringRef();
    }
  }
  return keys;
}

at::Tensor element_named(const IValue& result, const std::string& key, const std::string& what) {
  if (!result.isGenericDict()) {
    throw broken_contract(what + " is '" + key + "', but its output is a " + result.tagKind());
  }
  const auto dict = result.toGenericDict();
  const auto found = dict.find(key);
  if (found == dict.end()) {
    throw broken_contract("its output has no '" + key + "'; it has " + key_list(result));
  }
  return require_tensor(found->value(), "output '" + key + "'");
}

void check_output(const encode::CardOutput& expected, const encode::HostBatch& batch,
                  const at::Tensor& output) {
  const bool tokens = expected.kind == OutputKind::kTokens;
  const std::int64_t rank = tokens ? 3 : expected.kind == OutputKind::kPooled ? 2 : 4;
  const std::string its = expected.name.empty() ? "its output" : "its output " + expected.name;
  if (output.dim() != rank) {
    throw broken_contract(its + " is " + shape_text(output) + "; output '" +
                          std::string(to_string(expected.kind)) + "' has " + std::to_string(rank) +
                          " dimensions");
  }
  if (!output.is_floating_point()) {
    throw broken_contract(its + " has numbers of type " + c10::toString(output.scalar_type()) +
                          ", not floating-point ones");
  }
  if (output.size(0) != batch.rows) {
    throw broken_contract("a batch of " + std::to_string(batch.rows) + " gives " +
                          std::to_string(output.size(0)) + " rows");
  }
  if (tokens && output.size(1) != batch.width) {
    throw broken_contract("a batch padded to " + std::to_string(batch.width) + " tokens gives " +
                          std::to_string(output.size(1)) + " per row");
  }
  const std::int64_t dimension = output.size(tokens ? 2 : 1);
  if (dimension != expected.dimension) {
    throw broken_contract("its vectors have " + std::to_string(dimension) +
                          " dimensions, the card says " + std::to_string(expected.dimension));
  }
}

// rows x width, one where a token is pooled.
at::Tensor column_mask(const encode::EncoderCard& card, const encode::HostBatch& batch,
                       Pooling pooling) {
  at::Tensor mask = at::zeros({batch.rows, batch.width}, c10::kBool);
  auto* cell = mask.mutable_data_ptr<bool>();
  for (std::uint32_t row = 0; row < batch.used_rows; ++row, cell += batch.width) {
    const encode::Columns columns = pooled_columns(pooling, card.alphabet, batch, row);
    std::fill_n(cell + columns.first, columns.count(), true);
  }
  return mask;
}

// Of all rows: how a device sums may depend on how many there are.
at::Tensor pool_on_device(const encode::EncoderCard& card, const encode::HostBatch& batch,
                          const at::Tensor& used, Pooling pooling, Copies& copies) {
  const at::Tensor mask = copies.up(column_mask(card, batch, pooling), c10::kBool);
  const at::Tensor outside = mask.logical_not().unsqueeze(2);
  const at::Tensor count = mask.sum(1, /*keepdim=*/true, c10::kFloat);
  if (pooling == Pooling::kMax) {
    const float lowest = -std::numeric_limits<float>::infinity();
    const at::Tensor greatest = used.to(c10::kFloat).masked_fill(outside, lowest).amax(1);
    return greatest.masked_fill(count.eq(0), std::numeric_limits<float>::quiet_NaN());
  }
  // Filled, not multiplied: what stands in the padding may be NaN. No columns: 0 / 0 is NaN.
  return used.to(c10::kFloat).masked_fill(outside, 0.0).sum(1).div(count);
}

template <typename Number>
std::vector<Number> numbers_of(const at::Tensor& host) {
  const Number* first = host.const_data_ptr<Number>();
  return {first, first + host.numel()};
}

// In double, on the host where the device has none; of all rows, as above.
at::Tensor sum_on_device(const encode::HostBatch& batch, const at::Tensor& output, Copies& copies) {
  at::Tensor outside = at::ones({batch.rows, batch.width}, c10::kBool);
  for (std::uint32_t row = 0; row < batch.used_rows; ++row) {
    const encode::Columns& own = batch.own[row];
    std::fill_n(outside.mutable_data_ptr<bool>() + std::size_t{row} * batch.width + own.first,
                own.count(), false);
  }
  const at::Tensor states = output.is_mps() ? output.to(c10::kCPU) : output;
  const at::Tensor there = output.is_mps() ? outside : copies.up(outside, c10::kBool);
  const at::Tensor sums = states.to(c10::kDouble)
                              .masked_fill(there.unsqueeze(2), 0.0)
                              .sum(1)
                              .narrow(0, 0, batch.used_rows);
  return copies.down(sums, c10::kDouble);
}

at::Tensor pooled_map(const at::Tensor& used, Pooling pooling) {
  const at::Tensor map = used.to(c10::kFloat).flatten(2);
  return pooling == Pooling::kMax ? map.amax(2) : map.mean(2);
}

}  // namespace

c10::ScalarType to_scalar_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::kBf16:
      return c10::kBFloat16;
    case Dtype::kFp16:
      return c10::kHalf;
    case Dtype::kFp32:
      break;
  }
  return c10::kFloat;
}

std::vector<at::Tensor> input_tensors(const encode::EncoderCard& card,
                                      const encode::HostBatch& batch, Copies& copies, Dtype dtype) {
  std::vector<at::Tensor> tensors;
  for (const encode::CardInput& input : card.inputs) {
    const c10::ScalarType type = integer_type(input.dtype, dtype);
    switch (input.kind) {
      case InputKind::kTokens:
        tensors.push_back(copies.up(token_view(batch), type));
        break;
      case InputKind::kMask:
        tensors.push_back(copies.up(mask_tensor(batch), type));
        break;
      case InputKind::kZeros:
        tensors.push_back(at::zeros({batch.rows, batch.width},
                                    at::TensorOptions().dtype(type).device(copies.device())));
        break;
      case InputKind::kPixels:
        tensors.push_back(pixel_tensor(input, card.image, batch, copies, dtype));
        break;
    }
  }
  return tensors;
}

at::Tensor output_tensor(const encode::CardOutput& output, const encode::HostBatch& batch,
                         const IValue& result) {
  at::Tensor tensor;
  if (!output.key) {
    if (!result.isTensor()) {
      throw broken_contract("its output is a " + result.tagKind() + "; " + key_of(output) +
                            " must say which part is meant");
    }
    tensor = result.toTensor();
  } else if (output.key->is_string()) {
    tensor = element_named(result, output.key->get<std::string>(), key_of(output));
  } else {
    tensor = element_at(result, output.key->get<std::int64_t>(), key_of(output));
  }
  check_output(output, batch, tensor);
  return tensor;
}

encode::EmbeddingBlock finished(PendingBlock pending) {
  encode::EmbeddingBlock block = std::move(pending.block);
  if (pending.values.defined()) {
    block.values = numbers_of<float>(pending.values);
  }
  if (pending.sums.defined()) {
    block.sums = numbers_of<double>(pending.sums);
  }
  if (pending.normalize == Normalize::kL2) {
    encode::normalize_rows(block.values, block.dimension);
  }
  return block;
}

PendingBlock pooled_block(const encode::EncoderCard& card, OutputKind kind,
                          const encode::HostBatch& batch, const at::Tensor& output, Pooling pooling,
                          Copies& copies) {
  PendingBlock pending;
  encode::EmbeddingBlock& block = pending.block;
  block.rows = batch.used_rows;
  block.dimension = static_cast<std::uint32_t>(output.size(kind == OutputKind::kTokens ? 2 : 1));
  const auto used_rows = [&](const at::Tensor& all) { return all.narrow(0, 0, batch.used_rows); };
  if (kind == OutputKind::kPooled) {
    pending.values = copies.down(used_rows(output), c10::kFloat);
  } else if (kind == OutputKind::kMap) {
    pending.values = copies.down(used_rows(pooled_map(output, pooling)), c10::kFloat);
  } else if (copies.apart()) {
    pending.values =
        copies.down(used_rows(pool_on_device(card, batch, output, pooling, copies)), c10::kFloat);
    if (!batch.own.empty()) {
      pending.sums = sum_on_device(batch, output, copies);
    }
  } else {
    const at::Tensor states = used_rows(output).to(c10::kFloat).contiguous();
    const std::span numbers(states.const_data_ptr<float>(),
                            static_cast<std::size_t>(states.numel()));
    block.values = pool_tokens(numbers, batch, block.dimension, pooling, card.alphabet);
    block.sums = sum_segments(numbers, batch, block.dimension);
  }
  return pending;
}

PendingBlock token_block(const encode::EncoderCard& card, const encode::HostBatch& batch,
                         const at::Tensor& output, Copies& copies) {
  PendingBlock pending;
  encode::EmbeddingBlock& block = pending.block;
  block.rows = batch.used_rows;
  block.dimension = static_cast<std::uint32_t>(output.size(2));
  block.firsts = {0};
  std::vector<std::int64_t> places;  // of the output's rows x width vectors
  for (std::uint32_t row = 0; row < batch.used_rows; ++row) {
    const encode::Columns columns = residue_columns(card.alphabet, batch, row);
    for (std::uint32_t column = columns.first; column < columns.last; ++column) {
      places.push_back(std::int64_t{row} * batch.width + column);
    }
    block.firsts.push_back(places.size());
  }
  const at::Tensor index = copies.up(at::tensor(places, c10::kLong), c10::kLong);
  pending.values =
      copies.down(output.reshape({-1, output.size(2)}).index_select(0, index), c10::kFloat);
  return pending;
}

}  // namespace longhaul::torch_room
