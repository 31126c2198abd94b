// What the numbers of an output are made with, in the words of flags, cards, journals and reports.
// Values; any thread.
#pragma once

#include "domain/words.hpp"

namespace longhaul {

// What a model reads.
enum class Modality { kSequence, kImage };
template <>
struct Words<Modality> {
  static constexpr Word<Modality> all[] = {{"sequence", Modality::kSequence},
                                           {"image", Modality::kImage}};
};

// From hidden states to one vector: encode/pooling.hpp. None: a run writes residues alone.
enum class Pooling { kMean, kMeanCompat, kCls, kMax, kNone };
template <>
struct Words<Pooling> {
  static constexpr Word<Pooling> all[] = {{"mean", Pooling::kMean},
                                          {"mean-compat", Pooling::kMeanCompat},
                                          {"cls", Pooling::kCls},
                                          {"max", Pooling::kMax},
                                          {"none", Pooling::kNone}};
};

enum class Normalize { kNone, kL2 };
template <>
struct Words<Normalize> {
  static constexpr Word<Normalize> all[] = {{"none", Normalize::kNone}, {"l2", Normalize::kL2}};
};

// The type of the encoder's computation.
enum class Dtype { kFp32, kBf16, kFp16 };
template <>
struct Words<Dtype> {
  static constexpr Word<Dtype> all[] = {
      {"fp32", Dtype::kFp32}, {"bf16", Dtype::kBf16}, {"fp16", Dtype::kFp16}};
};

// The type of the numbers in embeddings.npy.
enum class OutputDtype { kFp32, kFp16 };
template <>
struct Words<OutputDtype> {
  static constexpr Word<OutputDtype> all[] = {{"fp32", OutputDtype::kFp32},
                                              {"fp16", OutputDtype::kFp16}};
};

// Records of more tokens than --max-length.
enum class TooLong { kReject, kTruncate, kWindow };
template <>
struct Words<TooLong> {
  static constexpr Word<TooLong> all[] = {
      {"reject", TooLong::kReject}, {"truncate", TooLong::kTruncate}, {"window", TooLong::kWindow}};
};

// Letters outside the model's alphabet.
enum class Unknown { kReject, kToken };
template <>
struct Words<Unknown> {
  static constexpr Word<Unknown> all[] = {{"reject", Unknown::kReject}, {"token", Unknown::kToken}};
};

// The gaps of an alignment.
enum class Gaps { kReject, kRemove };
template <>
struct Words<Gaps> {
  static constexpr Word<Gaps> all[] = {{"reject", Gaps::kReject}, {"remove", Gaps::kRemove}};
};

// What becomes of an image like an earlier one.
enum class SkipDuplicates { kOff, kExact, kDhash };
template <>
struct Words<SkipDuplicates> {
  static constexpr Word<SkipDuplicates> all[] = {{"off", SkipDuplicates::kOff},
                                                 {"exact", SkipDuplicates::kExact},
                                                 {"dhash", SkipDuplicates::kDhash}};
};

// Whether a window's records are computed in the order of their lengths or of the input.
enum class Order { kLength, kInput };
template <>
struct Words<Order> {
  static constexpr Word<Order> all[] = {{"length", Order::kLength}, {"input", Order::kInput}};
};

}  // namespace longhaul
