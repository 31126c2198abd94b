// One array of two outputs compared: how far the vectors of the same records are apart, as they are
// and less the mean of each output, and whether they still have the same neighbours.
// Memory: blocks of both files, the sample, some vectors. One thread. Values that are not finite
// are counted, never compared.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "score/distances.hpp"
#include "store/array_reader.hpp"

namespace longhaul::score {

struct DiffSettings {
  // Greatest difference of a number, in proportion to the greatest of A's vector where that exceeds
  // 1. Nothing: the same bits.
  std::optional<double> tolerance;
  std::size_t worst = 10;                // pairs that are listed
  std::size_t sample = 1000;             // rows whose neighbours are looked up
  std::size_t neighbours = 10;           // of each
  std::uint64_t seed = 0;                // of the sample
  std::vector<std::string> arrays = {};  // by name; empty: all that both have
};

struct WorstPair {
  std::uint64_t row_a = 0;
  std::uint64_t row_b = 0;
  std::uint64_t vector = 0;  // of kTokens: which residue
  double distance = 0;       // 1 - cosine
  std::optional<double> centred_distance;
  double difference = 0;  // greatest of a number
  std::string id = {};
};

struct ArrayDiff {
  OutputSpec a;
  OutputSpec b;
  std::uint64_t vectors = 0;       // compared; of kTokens residues
  std::uint64_t same_bits = 0;     // of them
  std::uint64_t beyond = 0;        // the tolerance; without one, not the same bits
  std::uint64_t not_finite = 0;    // vectors of records that are ok, in A or in B
  std::uint64_t other_count = 0;   // kTokens: records with another number of residues
  std::uint64_t no_direction = 0;  // vectors of zeros, which have no cosine
  double greatest_difference = 0;
  double greatest_relative = 0;  // as the tolerance measures it
  Distances distances;
  Distances centred;
  std::size_t sample = 0;  // rows; 0: no neighbours were looked up
  std::size_t neighbours = 0;
  double agreement = 1;
  std::vector<WorstPair> worst;

  bool equal() const { return beyond == 0 && not_finite == 0 && other_count == 0; }
};

class ArrayComparison {
 public:
  ArrayComparison(store::ArrayReader a, store::ArrayReader b, const DiffSettings& settings);

  // Once for each pair of rows.
  void compare(std::uint64_t row_a, std::uint64_t row_b);
  // Whether a second look, at all the pairs again, can tell more: not where all are the same bits.
  void begin_second_look();
  bool needs_second_look() const { return result_.same_bits < result_.vectors; }
  void look_again(std::uint64_t row_a, std::uint64_t row_b);
  ArrayDiff finish();

 private:
  struct Vectors {
    std::vector<double> values, mean, centred;
    void take(std::span<const float> vector);
    void subtract_mean();
  };
  std::size_t width() const { return result_.a.dimension; }
  bool same_bytes(std::uint64_t row_a, std::uint64_t row_b);
  void compare_vectors(std::span<const float> a, std::span<const float> b, bool same);
  void look_again_at(WorstPair pair, std::span<const float> a, std::span<const float> b);
  void add_worst(const WorstPair& pair);
  void draw(std::span<const float> a, std::span<const float> b);

  const DiffSettings& settings_;
  store::ArrayReader reader_a_, reader_b_;
  ArrayDiff result_;
  Vectors a_, b_;
  std::mt19937_64 random_;
  std::uint64_t left_ = 0;  // vectors of the second look that may be drawn yet
  std::size_t to_draw_ = 0;
  std::vector<float> sample_a_, sample_b_;
};

}  // namespace longhaul::score
