#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <new>

#include "command.hpp"
#include "version.hpp"

namespace {

using longhaul::Error;
using longhaul::ExitCode;

std::map<std::string, std::string> copy_environment() {
  std::map<std::string, std::string> copy;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      copy.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return copy;
}

// The one line every failure ends with: what, where, what to do next.
int fail(ExitCode code, const std::string& what, const std::string& remedy) {
  std::cerr << "longhaul: " << what << (remedy.empty() ? "" : "; " + remedy) << '\n';
  return longhaul::to_int(code);
}

}  // namespace

int main(int argc, char** argv) {
  longhaul::app::Context context;
  context.environment = copy_environment();
  context.arguments.assign(argv, argv + argc);

  CLI::App app{"Embeds datasets of any size with a TorchScript encoder, in bounded memory."};
  app.name("longhaul");
  app.set_version_flag("--version", longhaul::app::version_text());
  app.require_subcommand(1);
  longhaul::app::add_commands(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : longhaul::to_int(ExitCode::kUsage);
  }
  try {
    return longhaul::to_int(context.chosen());
  } catch (const Error& error) {
    return fail(error.code(), error.what(), error.remedy());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::kMemory, "out of memory", "use a smaller --batch-tokens or --window");
  } catch (const std::exception& error) {
    return fail(ExitCode::kInternal, std::string("internal error: ") + error.what(),
                "please report it with the command that caused it");
  }
}
