#include "fakes/fake_encoder.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "encode/model_kind.hpp"
#include "encode/outputs.hpp"
#include "encode/pooling.hpp"

namespace longhaul::fakes {
namespace {

constexpr std::int64_t kPad = 1;
constexpr std::uint32_t kFirstResidue = 1;
constexpr std::size_t kSpecialTokens = 2;  // of a row: its first and its last
// encode() calls of check_contract(), of a model whose vectors are their own.
constexpr std::uint64_t kContractCalls = 3;

std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

std::span<const std::int64_t> row_of(const encode::HostBatch& batch, std::uint32_t row) {
  return std::span(batch.tokens).subspan(std::size_t{row} * batch.width, batch.width);
}

// Of a row of images: a hash of its pixels; of tokens: nothing.
std::int64_t picture_of(const encode::HostBatch& batch, std::uint32_t row) {
  const std::size_t bytes = batch.pixels.size() / batch.rows;
  return static_cast<std::int64_t>(
      hash64(std::as_bytes(std::span(batch.pixels).subspan(row * bytes, bytes))));
}

}  // namespace

FakeEncoderSettings fake_encoder_settings(const nlohmann::json& model) {
  FakeEncoderSettings settings;
  settings.dimension = model.value("dimension", settings.dimension);
  settings.nan_every = model.value("nan_every", settings.nan_every);
  settings.nan_in_company = model.value("nan_in_company", settings.nan_in_company);
  settings.nan_in_half = model.value("nan_in_half", settings.nan_in_half);
  settings.huge_every = model.value("huge_every", settings.huge_every);
  settings.rows_per_second = model.value("rows_per_second", settings.rows_per_second);
  if (model.contains("error_at")) {
    settings.error_at = model.at("error_at").get<std::uint64_t>();
  }
  if (model.contains("kill_at")) {
    settings.kill_at = model.at("kill_at").get<std::uint64_t>();
  }
  if (model.contains("thread_out_of_memory_at")) {
    settings.thread_out_of_memory_at = model.at("thread_out_of_memory_at").get<std::uint64_t>();
  }
  if (model.contains("hang_at")) {
    settings.hang_at = model.at("hang_at").get<std::uint64_t>();
  }
  settings.width_matters = model.value("width_matters", settings.width_matters);
  settings.rows_matter = model.value("rows_matter", settings.rows_matter);
  settings.part_tokens = model.value("part_tokens", settings.part_tokens);
  settings.part_rows = model.value("part_rows", settings.part_rows);
  settings.layers = model.value("layers", settings.layers);
  settings.tokens = model.value("tokens", settings.tokens);
  settings.random = model.value("random", settings.random);
  settings.neighbours_matter = model.value("neighbours_matter", settings.neighbours_matter);
  settings.device = fake_device_settings(model);
  return settings;
}

FakeEncoder::FakeEncoder(FakeEncoderSettings settings, Pooling pooling, Normalize normalize)
    : settings_(std::move(settings)),
      pooling_(pooling),
      normalize_(normalize),
      device_(settings_.device) {}

std::vector<float> FakeEncoder::vector_of(std::span<const std::int64_t> tokens, std::uint32_t width,
                                          std::uint32_t rows) const {
  std::uint64_t state = hash64(std::as_bytes(tokens));
  const std::uint64_t content = state;
  state ^= settings_.width_matters ? std::uint64_t{width} << 32U : 0;
  state ^= settings_.rows_matter ? std::uint64_t{rows} << 16U : 0;
  state ^= static_cast<std::uint64_t>(pooling_);
  std::vector<float> vector(settings_.dimension);
  for (float& value : vector) {
    value = static_cast<float>(next_random(state) >> 40U) / 8388608.0F - 1.0F;
  }
  if (normalize_ == Normalize::kL2) {
    encode::normalize_rows(vector, settings_.dimension);
  }
  const auto is_one_in = [&](std::uint64_t every) { return every > 0 && content % every == 0; };
  if (is_one_in(settings_.nan_every) || is_one_in(settings_.nan_in_half) ||
      (rows > 1 && is_one_in(settings_.nan_in_company))) {
    vector[vector.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  }
  if (is_one_in(settings_.huge_every)) {
    vector[vector.size() / 2] = 1e5F;
  }
  return vector;
}

void FakeEncoder::check(const encode::HostBatch& batch) const {
  if (!batch.pixels.empty()) {
    if (batch.used_rows > batch.rows || batch.pixels.size() % batch.rows != 0) {
      throw Error(ExitCode::kInternal, "the batch's sizes do not agree");
    }
    return;
  }
  const bool sizes_agree = batch.used_rows <= batch.rows && batch.rows > 0 &&
                           batch.lengths.size() == batch.rows &&
                           batch.tokens.size() == std::size_t{batch.rows} * batch.width;
  if (!sizes_agree) {
    throw Error(ExitCode::kInternal, "the batch's sizes do not agree");
  }
  for (std::uint32_t row = 0; row < batch.rows; ++row) {
    const std::uint32_t length = batch.lengths[row];
    const auto tokens = row_of(batch, row);
    const bool used = row < batch.used_rows;
    if (length > batch.width || (used ? length == 0 : length != 0)) {
      throw Error(ExitCode::kInternal, "row " + std::to_string(row) + " has a wrong length");
    }
    const auto padding = tokens.subspan(used ? length : 0);
    const bool padded = std::all_of(padding.begin(), padding.end(),
                                    [](std::int64_t token) { return token == kPad; });
    if (used && !padded) {
      throw Error(ExitCode::kInternal, "row " + std::to_string(row) + " is not padded");
    }
  }
}

std::vector<OutputSpec> FakeEncoder::outputs() const {
  std::vector<OutputSpec> outputs;
  if (pooling_ != Pooling::kNone) {
    outputs.push_back({.dimension = settings_.dimension});
  }
  for (const std::string& layer : settings_.layers) {
    outputs.push_back({.name = "embeddings." + layer, .dimension = settings_.dimension});
  }
  if (settings_.tokens) {
    outputs.push_back(
        {.name = "tokens", .kind = ArrayKind::kTokens, .dimension = settings_.dimension});
  }
  return outputs;
}

std::vector<float> FakeEncoder::numbers_of(const OutputSpec& output,
                                           std::span<const std::int64_t> tokens,
                                           std::uint32_t width, std::uint32_t rows) const {
  std::vector<float> numbers = vector_of(tokens, width, rows);
  const std::string prefix = OutputSpec{}.name + ".";
  const std::string layer =
      output.name.starts_with(prefix) ? output.name.substr(prefix.size()) : settings_.first_layer;
  if (layer != settings_.default_layer) {
    const auto shift = static_cast<float>(hash64(prefix + layer) % 1000);
    std::transform(numbers.begin(), numbers.end(), numbers.begin(),
                   [shift](float value) { return value - shift; });
  }
  if (output.kind == ArrayKind::kTokens) {
    const std::vector<float> vector = numbers;
    numbers.clear();
    for (std::size_t residue = 0; residue + kSpecialTokens < tokens.size(); ++residue) {
      const auto place = static_cast<float>(residue);
      std::transform(vector.begin(), vector.end(), std::back_inserter(numbers),
                     [place](float value) { return value + place; });
    }
  }
  return numbers;
}

std::vector<encode::EncodedBatch> FakeEncoder::encode(std::span<const encode::HostBatch> parts) {
  std::uint32_t rows = 0;
  std::uint32_t width = 0;
  double cost = 0;
  for (const encode::HostBatch& part : parts) {
    check(part);
    rows += part.rows;
    width = std::max(width, part.width);
    cost += cost_of(part);
  }
  device_.enter(rows, width, cost);
  misbehave();
  std::vector<encode::EncodedBatch> encoded;
  for (const encode::HostBatch& part : parts) {
    encoded.push_back(encode_part(part));
  }
  if (settings_.rows_per_second > 0) {
    std::this_thread::sleep_for(std::chrono::duration<double>(rows / settings_.rows_per_second));
  }
  return encoded;
}

void FakeEncoder::misbehave() {
  if (settings_.kill_at && device_.calls() == *settings_.kill_at) {
    std::raise(SIGKILL);
  }
  if (settings_.thread_out_of_memory_at && device_.calls() == *settings_.thread_out_of_memory_at) {
    std::thread([] { throw std::bad_alloc(); }).join();
  }
  if (settings_.hang_at && device_.calls() == *settings_.hang_at) {
    std::this_thread::sleep_for(std::chrono::minutes(1));
  }
  if (settings_.error_at && device_.calls() == *settings_.error_at) {
    throw Error(ExitCode::kUnavailable, "the fake device is broken", "replace it");
  }
}

encode::EncodedBatch FakeEncoder::encode_part(const encode::HostBatch& batch) {
  encode::EncodedBatch encoded;
  for (const OutputSpec& output : outputs()) {
    encode::EmbeddingBlock& block = encoded.blocks.emplace_back();
    block.rows = batch.used_rows;
    block.dimension = output.dimension;
    for (std::uint32_t row = 0; row < batch.used_rows; ++row) {
      const std::array<std::int64_t, 1> picture{picture_of(batch, row)};
      const auto tokens = batch.pixels.empty() ? row_of(batch, row).first(batch.lengths[row])
                                               : std::span<const std::int64_t>(picture);
      std::vector<float> numbers = numbers_of(output, tokens, batch.width, batch.rows);
      if (!batch.own.empty()) {
        take_own(batch.own[row], output, numbers, block.sums);
      }
      if (output.kind == ArrayKind::kTokens) {
        block.firsts.push_back(block.values.size() / output.dimension);
      }
      block.values.insert(block.values.end(), numbers.begin(), numbers.end());
    }
    if (output.kind == ArrayKind::kTokens) {
      block.firsts.push_back(block.values.size() / output.dimension);
    }
    misbehave(batch, block.values);
  }
  return encoded;
}

void FakeEncoder::take_own(const encode::Columns& own, const OutputSpec& output,
                           std::vector<float>& numbers, std::vector<double>& sums) {
  const std::uint32_t dimension = output.dimension;
  const std::uint32_t first = own.count() > 0 ? own.first - kFirstResidue : 0;
  if (output.kind == ArrayKind::kTokens) {
    if (own.count() > 0) {
      const auto at = [&](std::uint32_t residue) {
        return numbers.begin() + std::ptrdiff_t{residue} * dimension;
      };
      numbers = {at(first), at(first + own.count())};
    }
    return;
  }
  const std::size_t row = sums.size();
  sums.resize(row + dimension);
  for (std::uint32_t residue = first; residue < first + own.count(); ++residue) {
    for (std::uint32_t d = 0; d < dimension; ++d) {
      sums[row + d] += static_cast<double>(numbers[d] + static_cast<float>(residue));
    }
  }
}

void FakeEncoder::misbehave(const encode::HostBatch& batch, std::span<float> values) {
  if (settings_.random) {
    for (float& value : values) {
      value += static_cast<float>(next_random(random_) >> 40U) / 16777216.0F;
    }
  }
  if (settings_.neighbours_matter) {
    const auto sum = static_cast<float>(
        std::accumulate(batch.lengths.begin(), batch.lengths.end(), std::uint64_t{0}));
    for (float& value : values) {
      value += sum / 100;
    }
  }
}

nlohmann::json FakeEncoder::choices() const {
  return {{"fake", true}};
}

nlohmann::json FakeEncoder::report() const {
  return {{"fake", true},
          {"calls", device_.calls()},
          {"out_of_memory", device_.failures()},
          {"releases", device_.releases()}};
}

std::string fake_card_text(const nlohmann::json& model) {
  if (model.contains("card")) {
    return model.at("card").dump();
  }
  nlohmann::json card = {
      {"card", 1},
      {"name", "fake"},
      {"modality", "sequence"},
      {"method", "forward"},
      {"inputs",
       {{{"kind", "tokens"}, {"dtype", "int64"}}, {{"kind", "mask"}, {"dtype", "int64"}}}},
      {"output", "tokens"},
      {"output_key", nullptr},
      {"dimension", model.value("dimension", FakeEncoderSettings{}.dimension)},
      {"max_tokens", model.value("max_tokens", nlohmann::json(nullptr))},
      {"pooling", "mean"},
      {"normalize", "none"},
      {"golden", nlohmann::json::array()},
      {"source", {{"weights", "none"}, {"licence", "none"}, {"exported_with", "none"}}}};
  card["alphabet"] = {
      {"tokens", {"<cls>", "<pad>", "<eos>", "<unk>", "L", "A", "G", "V", "S", "E",      "R",
                  "T",     "I",     "D",     "P",     "K", "Q", "N", "F", "Y", "M",      "H",
                  "W",     "C",     "X",     "B",     "U", "Z", "O", ".", "-", "<null>", "<mask>"}},
      {"pad", "<pad>"},
      {"unknown", "<unk>"},
      {"prepend", "<cls>"},
      {"append", "<eos>"},
      {"allowed", "ACDEFGHIKLMNPQRSTVWYX"}};
  return card.dump();
}

nlohmann::json read_fake_model(const std::string& path) {
  std::ifstream file(path);
  nlohmann::json model = nlohmann::json::parse(file, nullptr, false);
  if (!model.is_object() || !model.value("fake", false)) {
    throw Error(ExitCode::kBadData, path + " is no fake model",
                "this program runs fake models only");
  }
  return model;
}

std::unique_ptr<encode::Encoder> make_fake_encoder(const encode::EncoderOptions& options, Log&) {
  const nlohmann::json model = read_fake_model(options.model_path);
  FakeEncoderSettings settings = fake_encoder_settings(model);
  const encode::EncoderCard card = encode::parse_card(fake_card_text(model), options.model_path);
  const std::vector<encode::CardOutput> chosen = encode::chosen_outputs(card, options);
  settings.first_layer = chosen.front().name;
  settings.default_layer = encode::chosen_outputs(card, {}).front().name;
  for (std::size_t i = 1; i < chosen.size(); ++i) {
    settings.layers.push_back(chosen[i].name);
  }
  for (auto* call : {&settings.error_at, &settings.hang_at, &settings.kill_at,
                     &settings.thread_out_of_memory_at, &settings.device.wrap_at}) {
    *call = *call ? std::optional(**call + kContractCalls) : std::nullopt;
  }
  settings.tokens = settings.tokens || options.tokens;
  if (options.device.starts_with("cuda:")) {
    settings.device.ordinal = options.device.substr(5);
  }
  settings.nan_in_half = options.dtype == Dtype::kFp32 ? 0 : settings.nan_in_half;
  for (std::uint64_t& call : settings.device.fail_at) {
    call += kContractCalls;
  }
  return std::make_unique<FakeEncoder>(std::move(settings), options.pooling, options.normalize);
}

encode::ModelLoader fake_models() {
  return {.read_model =
              [](const std::string& path, const std::optional<std::string>& card_path,
                 const std::optional<std::string>& sha256) {
                if (std::ifstream(path).peek() != '{') {
                  encode::require_archive(path);
                }
                return encode::read_model_file(
                    path, card_path, sha256, [](const std::string& model) {
                      return std::optional<std::string>(fake_card_text(read_fake_model(model)));
                    });
              },
          .make_encoder = [](const encode::ModelFile&, const encode::EncoderOptions& options,
                             Log& log) { return make_fake_encoder(options, log); }};
}

}  // namespace longhaul::fakes
