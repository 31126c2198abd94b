// Stratified folds for cross-validation, the same as scikit-learn's
// StratifiedKFold(n_splits, shuffle=True, random_state=seed), row for row.
// Pure; any thread. Throws Error(kBadData) when a class has fewer members than there are folds.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace longhaul::score {

// labels[i] is 0 or 1; returns the fold in which row i is tested.
std::vector<std::uint32_t> stratified_folds(std::span<const std::uint8_t> labels,
                                            std::uint32_t folds, std::uint32_t seed);

// The same, but rows with equal keys are never parted: the folds are dealt to the distinct keys, in
// the order of their first rows, each with the label most of its rows carry (a draw: its first
// row's). With distinct keys only, it is stratified_folds.
std::vector<std::uint32_t> grouped_folds(std::span<const std::uint8_t> labels,
                                         std::span<const std::string> keys, std::uint32_t folds,
                                         std::uint32_t seed);

}  // namespace longhaul::score
