// `longhaul doctor`: is this machine, this place for an output and this model fit for a run. The
// facts are gathered here; what they mean is lib/doctor's.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "backend.hpp"
#include "base/text.hpp"
#include "command.hpp"
#include "config/device_list.hpp"
#include "config/run_config.hpp"
#include "device/memory_reading.hpp"
#include "doctor/machine_checks.hpp"
#include "doctor/output_check.hpp"
#include "encode/contract.hpp"
#include "encode/outputs.hpp"
#include "processor.hpp"
#include "run_environment.hpp"
#include "session/encoder_options.hpp"
#include "terminal_text.hpp"
#include "usable_threads.hpp"
#include "version.hpp"

namespace longhaul::app {
namespace {

using doctor::Health;
using doctor::HealthLine;

struct DoctorOptions {
  std::string model;
  std::string output;
  std::string device = "auto";
  std::string dtype;
  bool json = false;
};

std::optional<std::uint64_t> soft_limit(int resource) {
  rlimit limit{};
  // The type of the first argument differs between systems.
  if (getrlimit(static_cast<decltype(RLIMIT_NOFILE)>(resource), &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY) {
    return std::nullopt;
  }
  return limit.rlim_cur;
}

// The words of the command line, as those of embed: a wrong one is no finding about the machine.
config::RunConfig run_config(const DoctorOptions& options) {
  std::vector<std::pair<std::string, std::string>> flags{{"device", options.device}};
  if (!options.dtype.empty()) {
    flags.emplace_back("dtype", options.dtype);
  }
  config::RunConfig config = config::resolve_config(flags, {}, std::nullopt).config;
  config::require_one_device(config.device, "doctor tries");
  config.model = options.model;
  return config;
}

bool is_writable(int descriptor) {
  const int flags = fcntl(descriptor, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

// "550.54.15" of the kernel's module.
std::string nvidia_driver() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  return std::getline(file, line) ? line : std::string();
}

class Doctor {
 public:
  Doctor(DoctorOptions options, const std::map<std::string, std::string>& environment)
      : options_(std::move(options)),
        config_(run_config(options_)),
        environment_(environment),
        backend_(make_backend()) {}

  ExitCode run(std::size_t columns) {
    look_at_machine();
    add("program", [&] { return program(); });
    if (backend_.try_device) {
      add("devices", [&] { return devices(); });
    }
    if (!options_.output.empty()) {
      const auto files = posix_files();
      lines_.push_back(doctor::check_output(*files, options_.output, std::to_string(getpid())));
    }
    if (!options_.model.empty()) {
      look_at_model();
    }
    options_.json ? print_json() : print_text(columns);
    return verdict();
  }

 private:
  void add(const std::string& name, const std::function<HealthLine()>& check) {
    lines_.push_back(doctor::line_of(name, check));
  }

  void look_at_machine() {
    const Processor processor = this_processor();
    lines_.push_back(doctor::check_processor(
        {processor.model, processor.instruction_sets, kernel_variables(environment_)}));
    const UsableThreads threads = usable_threads(environment_);
    add("threads", [&] {
      return doctor::check_threads(
          {threads.threads, threads.because, std::thread::hardware_concurrency()});
    });
    lines_.push_back(doctor::check_memory(device::read_host_memory()));
    lines_.push_back(doctor::check_limits(
        {soft_limit(RLIMIT_NOFILE), soft_limit(RLIMIT_FSIZE), soft_limit(RLIMIT_AS)}));
    lines_.push_back(
        doctor::check_streams({is_writable(STDOUT_FILENO), is_writable(STDERR_FILENO)}));
  }

  HealthLine program() const {
    const nlohmann::json made_of = versions();
    const auto of = [&made_of](const char* name) { return made_of.at(name).get<std::string>(); };
    const std::string said = "longhaul " + of("longhaul") + " (" + of("commit") + "), LibTorch " +
                             of("torch") + ", OpenCV " + of("opencv") + ", Arrow " + of("arrow");
    return backend_.try_device ? doctor::ok("program", said)
                               : doctor::failed("program", said + "; it cannot embed",
                                                "build it with -DLONGHAUL_TORCH=ON");
  }

  HealthLine devices() const {
    const std::string driver = nvidia_driver();
    const std::string opened = backend_.try_device(options_.device);
    const std::string said = "there are " + join(list_devices(), ", ") + "; " + options_.device +
                             " is " + opened + ", and works" +
                             (driver.empty() ? "" : "; " + driver);
    if (!driver.empty() && options_.device == "auto" && opened == "cpu") {
      return doctor::failed("devices", said + "; an NVIDIA driver is loaded and its library is not",
                            "install libcuda.so.1, or start the container with its devices");
    }
    return doctor::ok("devices", said);
  }

  void look_at_model() {
    std::optional<encode::ModelFile> model;
    add("model", [&] {
      model = backend_.models.read_model(options_.model, std::nullopt, std::nullopt);
      return doctor::ok("model",
                        model->card.name + ", " +
                            format_count(encode::outputs_of(model->card, {}).front().dimension) +
                            " dimensions, " + format_count(model->card.golden.size()) +
                            " golden vectors, SHA-256 " + model->sha256().substr(0, 16));
    });
    if (model) {
      load(*model);
    }
  }

  // Golden vectors are compared as it loads.
  void load(const encode::ModelFile& model) {
    std::unique_ptr<encode::Encoder> encoder;
    add("load", [&] {
      NullLog log;
      const auto start = std::chrono::steady_clock::now();
      encoder = backend_.models.make_encoder(
          model,
          session::encoder_options(config_, model.card, usable_threads(environment_).threads), log);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      return doctor::ok("load", "on " + encoder->device().name() + " at " +
                                    std::string(to_string(config_.dtype)) + " in " +
                                    format_duration(took) + ", with " +
                                    in_words(encoder->choices()));
    });
    if (!encoder) {
      return;
    }
    add("contract", [&] {
      encode::ContractSettings settings;
      settings.parts = encoder->rows_policy();
      settings.tolerance = encode::contract_tolerance(encoder->report());
      const encode::Contract contract = check_contract(*encoder, model.card, settings);
      const std::string said =
          "a record's vector is its own: " + in_words(contract.report.at("verdict"));
      return contract.warnings.empty()
                 ? doctor::ok("contract", said)
                 : doctor::warning("contract", said + "; " + join(contract.warnings, "; "),
                                   "its outputs are marked as numeric");
    });
  }

  std::size_t count(Health health) const {
    return static_cast<std::size_t>(std::ranges::count(lines_, health, &HealthLine::health));
  }

  void print_text(std::size_t columns) const {
    for (const HealthLine& line : lines_) {
      const std::string mark = line.health == Health::kOk        ? ""
                               : line.health == Health::kWarning ? "warning: "
                                                                 : "FAILED: ";
      std::cout << named_line(
          line.name, mark + line.said + (line.remedy.empty() ? "" : "; " + line.remedy), columns);
    }
    if (count(Health::kFailed) == 0) {
      std::cout << (count(Health::kWarning) == 0
                        ? std::string("fit")
                        : "fit, with " + format_count(count(Health::kWarning)) + " warnings")
                << '\n';
    }
  }

  void print_json() const {
    nlohmann::ordered_json lines = nlohmann::ordered_json::array();
    for (const HealthLine& line : lines_) {
      lines.push_back({{"name", line.name},
                       {"health", to_string(line.health)},
                       {"said", printable(line.said, 4096)},
                       {"remedy", printable(line.remedy, 4096)}});
    }
    std::cout
        << nlohmann::ordered_json{{"fit", count(Health::kFailed) == 0}, {"lines", lines}}.dump()
        << '\n';
  }

  ExitCode verdict() const {
    const auto first = std::ranges::find(lines_, Health::kFailed, &HealthLine::health);
    if (first != lines_.end()) {
      throw Error(ExitCode::kUnavailable,
                  "not fit: " + format_count(count(Health::kFailed)) + " of " +
                      format_count(lines_.size()) + " lines failed, the first: " + first->name +
                      ": " + first->said,
                  first->remedy);
    }
    return ExitCode::kDone;
  }

  DoctorOptions options_;
  const config::RunConfig config_;
  const std::map<std::string, std::string>& environment_;
  Backend backend_;
  std::vector<HealthLine> lines_;
};

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  const auto options = std::make_shared<DoctorOptions>();  // owned by the parser's callback
  CLI::App* command =
      app.add_subcommand("doctor", "Is this machine, a model, an output's place fit for a run");
  command->add_option("MODEL", options->model,
                      "a TorchScript archive to load and try; without one, the machine alone");
  command
      ->add_option("--output,-o", options->output,
                   "where an output would be: what a run does there is tried, and removed again")
      ->type_name("DIR");
  command->add_option("--device", options->device, "auto, cpu, cuda, cuda:N or mps (default: auto)")
      ->type_name("NAME");
  command->add_option("--dtype", options->dtype, "type to load the model at (default: fp32)")
      ->type_name("TYPE");
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] {
      return Doctor(*options, context.environment).run(stdout_columns(context.environment));
    };
  });
}

}  // namespace longhaul::app
