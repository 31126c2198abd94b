#include "torch/encoder/inspect_module.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "encode/model_kind.hpp"
#include "torch/encoder/script_program.hpp"

namespace longhaul::torch_room {
namespace {

using nlohmann::json;
using torch::jit::IValue;
using torch::jit::Module;

constexpr std::int64_t kRows = 2;
constexpr std::int64_t kLength = 8;
constexpr std::int64_t kLongestTried = 2048;
constexpr std::int64_t kMostTokensTried = 65536;

// What a method was given when it ran, and what it answered.
struct Trial {
  std::string method;
  json inputs;                    // as the card lists them
  std::vector<IValue> arguments;  // the tensors
  IValue result;
  std::int64_t image_size = 0;  // 0: a sequence encoder
};

std::vector<std::string> argument_names(const Module& module, const std::string& method) {
  std::vector<std::string> names;
  const auto found = module.find_method(method);
  if (found) {
    const auto& arguments = found->function().getSchema().arguments();
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      names.push_back(arguments[i].type()->str() + " " + arguments[i].name());
    }
  }
  return names;
}

// How many inputs are tensors, and how many of these may be left out.
struct InputCounts {
  std::size_t all = 0;
  std::size_t required = 0;
};

InputCounts count_inputs(const Module& module, const std::string& method) {
  const auto& arguments = module.get_method(method).function().getSchema().arguments();
  InputCounts counts;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    counts.required += arguments[i].default_value() ? 0U : 1U;
    const bool tensor =
        arguments[i].type()->isSubtypeOf(*c10::OptionalType::create(c10::TensorType::get()));
    counts.all += tensor && counts.all == i - 1 ? 1U : 0U;
  }
  return counts;
}

bool runs(const Module& module, Trial& trial) {
  try {
    trial.result = module.get_method(trial.method)(trial.arguments);
    return true;
  } catch (const std::exception&) {
    return false;  // this signature is not the module's; another is tried
  }
}

json input(const char* kind, const char* dtype) {
  return {{"kind", kind}, {"dtype", dtype}};
}

Trial token_trial(const std::string& method, const std::vector<const char*>& kinds,
                  const char* mask_dtype, std::int64_t rows, std::int64_t length,
                  std::int64_t token) {
  Trial trial;
  trial.method = method;
  trial.inputs = json::array();
  for (const char* kind : kinds) {
    const std::string name = kind;
    at::Tensor tensor =
        at::full({rows, length}, name == "tokens" ? token : (name == "mask" ? 1 : 0), c10::kLong);
    const bool as_bool = name == "mask" && std::string(mask_dtype) == "bool";
    trial.arguments.emplace_back(as_bool ? tensor.to(c10::kBool) : tensor);
    trial.inputs.push_back(input(kind, name == "mask" ? mask_dtype : "int64"));
  }
  return trial;
}

std::vector<Trial> pixel_trials(const std::string& method) {
  std::vector<Trial> trials;
  for (const std::int64_t size : {224, 256, 384, 336, 288, 240, 128, 96, 64, 32}) {
    Trial trial;
    trial.method = method;
    trial.inputs = json::array({input("pixels", "float32")});
    trial.arguments = {at::zeros({kRows, 3, size, size})};
    trial.image_size = size;
    trials.push_back(std::move(trial));
  }
  return trials;
}

// Images first where one tensor is enough, then as many inputs as the method can take.
std::vector<Trial> possible_trials(const Module& module, const std::string& method) {
  const InputCounts counts = count_inputs(module, method);
  std::vector<Trial> trials = counts.required == 1 ? pixel_trials(method) : std::vector<Trial>();
  const std::vector<const char*> kinds{"tokens", "mask", "zeros"};
  for (std::size_t count = std::min(counts.all, kinds.size());
       count >= std::max<std::size_t>(counts.required, 1); --count) {
    const std::vector<const char*> given(kinds.begin(),
                                         kinds.begin() + static_cast<std::ptrdiff_t>(count));
    for (const char* mask_dtype : {"int64", "bool"}) {
      trials.push_back(token_trial(method, given, mask_dtype, kRows, kLength, 1));
    }
  }
  return trials;
}

Trial first_that_runs(const Module& module, const std::string& path) {
  std::vector<std::string> methods = method_names(module);
  // forward first, then the order of the archive.
  std::stable_partition(methods.begin(), methods.end(),
                        [](const std::string& name) { return name == "forward"; });
  for (const std::string& method : methods) {
    for (Trial& trial : possible_trials(module, method)) {
      if (runs(module, trial)) {
        return std::move(trial);
      }
    }
  }
  throw Error(ExitCode::kBadData,
              path +
                  ": no method runs with tokens, tokens and mask, tokens, mask and zeros, or "
                  "pixels",
              "wrap the model in a module that takes one of these, and export that");
}

// Where the states are, and what they look like: {"output", "output_key", "dimension"}.
json describe_tensor(const IValue& value, const Trial& trial) {
  if (!value.isTensor() || !value.toTensor().is_floating_point() || value.toTensor().dim() < 2 ||
      value.toTensor().size(0) != kRows) {
    return nullptr;
  }
  const at::Tensor tensor = value.toTensor();
  if (tensor.dim() == 2) {
    return {{"output", "pooled"}, {"dimension", tensor.size(1)}};
  }
  if (tensor.dim() == 3 && trial.image_size == 0 && tensor.size(1) == kLength) {
    return {{"output", "tokens"}, {"dimension", tensor.size(2)}};
  }
  if (tensor.dim() == 4 && trial.image_size > 0) {
    return {{"output", "map"}, {"dimension", tensor.size(1)}};
  }
  return nullptr;
}

json describe_output(const Trial& trial) {
  json found = describe_tensor(trial.result, trial);
  if (!found.is_null()) {
    found["output_key"] = nullptr;
    return found;
  }
  const auto take = [&](const IValue& value, const json& key) {
    json part = describe_tensor(value, trial);
    // States per token say more than a pooled vector beside them.
    if (!part.is_null() &&
        (found.is_null() || (found["output"] != "tokens" && part["output"] == "tokens"))) {
      part["output_key"] = key;
      found = part;
    }
  };
  if (trial.result.isTuple()) {
    std::size_t position = 0;
    for (const IValue& value : trial.result.toTupleRef().elements()) {
      take(value, position++);
    }
  } else if (trial.result.isGenericDict()) {
    for (const auto& entry : trial.result.toGenericDict()) {
      take(entry.value(), entry.key().isString() ? json(entry.key().toStringRef()) : json(nullptr));
    }
  }
  return found.is_null()
             ? json{{"output", nullptr}, {"dimension", nullptr}, {"output_key", nullptr}}
             : found;
}

bool runs_with(const Module& module, const Trial& like, std::int64_t length, std::int64_t token) {
  std::vector<const char*> kinds;
  const char* mask_dtype = "int64";
  std::vector<std::string> names;
  for (const json& entry : like.inputs) {
    names.push_back(entry.at("kind").get<std::string>());
    if (names.back() == "mask" && entry.at("dtype").get<std::string>() == "bool") {
      mask_dtype = "bool";
    }
  }
  for (const std::string& name : names) {
    kinds.push_back(name.c_str());
  }
  Trial trial = token_trial(like.method, kinds, mask_dtype, 1, length, token);
  return runs(module, trial);
}

// The greatest value in [works, limit] that `works_with` takes, by halving.
template <typename Function>
std::int64_t greatest_working(std::int64_t works, std::int64_t limit, Function works_with) {
  if (works_with(limit)) {
    return limit;
  }
  while (limit - works > 1) {
    const std::int64_t middle = works + (limit - works) / 2;
    (works_with(middle) ? works : limit) = middle;
  }
  return works;
}

void add_sequence_part(const Module& module, const Trial& trial, json& card) {
  const std::int64_t longest = greatest_working(kLength, kLongestTried, [&](std::int64_t length) {
    return runs_with(module, trial, length, 1);
  });
  const std::int64_t last_token = greatest_working(
      1, kMostTokensTried - 1,
      [&](std::int64_t token) { return runs_with(module, trial, kLength, token); });
  card["max_tokens"] = longest < kLongestTried ? json(longest) : json(nullptr);
  json tokens = json::array();
  for (std::int64_t i = 0; i <= last_token && last_token < kMostTokensTried - 1; ++i) {
    tokens.push_back(nullptr);
  }
  card["alphabet"] = {{"tokens", tokens.empty() ? json(nullptr) : tokens},
                      {"pad", nullptr},
                      {"unknown", nullptr},
                      {"prepend", nullptr},
                      {"append", nullptr},
                      {"allowed", nullptr}};
}

void add_image_part(const Trial& trial, json& card) {
  card["image"] = {{"size", trial.image_size}, {"resize", nullptr}, {"interpolation", nullptr},
                   {"antialias", true},        {"crop", true},      {"scale", 1.0 / 255.0},
                   {"mean", nullptr},          {"std", nullptr},    {"colour", "RGB"},
                   {"layout", "NCHW"},         {"exif", "ignore"}};
}

}  // namespace

json describe_module(const std::string& path, const std::string& method) {
  const c10::InferenceMode inference;
  const Module module = load_module(path, c10::Device(c10::kCPU));
  std::set<std::string> types;
  for (const at::Tensor& parameter : module.parameters()) {
    types.insert(c10::toString(parameter.scalar_type()));
  }
  return {{"parameters", count_parameters(module)},
          {"types", types},
          {"methods", method_names(module)},
          {"inputs", argument_names(module, method)}};
}

json draft_card(const std::string& path) {
  encode::require_archive(path);
  const c10::InferenceMode inference;
  const Module module = load_module(path, c10::Device(c10::kCPU));
  const Trial trial = first_that_runs(module, path);
  const bool image = trial.image_size > 0;
  json card = {{"card", 1},
               {"name", std::filesystem::path(path).stem().string()},
               {"modality", image ? "image" : "sequence"},
               {"method", trial.method},
               {"inputs", trial.inputs}};
  card.update(describe_output(trial));
  if (image) {
    add_image_part(trial, card);
  } else {
    add_sequence_part(module, trial, card);
  }
  card["pooling"] = card["output"] == "pooled" ? json("mean") : json(nullptr);
  card["normalize"] = nullptr;
  card["golden"] = json::array();
  card["source"] = {{"weights", nullptr}, {"licence", nullptr}, {"exported_with", nullptr}};
  return card;
}

}  // namespace longhaul::torch_room
