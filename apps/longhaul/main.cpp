#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>

#include "base/text.hpp"
#include "command.hpp"
#include "config/suggest.hpp"
#include "help.hpp"
#include "process_setup.hpp"
#include "remedy.hpp"
#include "terminal_text.hpp"
#include "version.hpp"

namespace {

using longhaul::Error;
using longhaul::ExitCode;
using longhaul::app::Context;

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
int fail(const Context& context, const Error& error) {
  const std::string remedy = longhaul::app::remedy_here(error);
  const std::string line =
      std::string("longhaul: ") + error.what() + (remedy.empty() ? "" : "; " + remedy);
  if (context.console) {
    context.console->fail(line);
  } else {
    std::cerr << line << '\n';
  }
  return longhaul::to_int(error.code());
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

// A first word that is no command is named before the parser sees it: it would only say that a
// command is missing.
void check_command(const CLI::App& app, const std::vector<std::string>& arguments) {
  const std::vector<std::string> names = command_names(app);
  if (arguments.size() < 2 || arguments[1].starts_with('-') ||
      std::find(names.begin(), names.end(), arguments[1]) != names.end()) {
    return;
  }
  const std::optional<std::string> near = longhaul::config::nearest_word(arguments[1], names);
  throw Error(ExitCode::kUsage, "'" + longhaul::printable(arguments[1]) + "' is not a command",
              near ? "did you mean '" + *near + "'?" : "commands: " + longhaul::join(names, ", "));
}

// What the parser refused, with the flag that may have been meant.
Error usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  for (const CLI::App* chosen : app.get_subcommands()) {
    command = chosen;
  }
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().back();
  }
  std::string help = "longhaul --help";
  if (command != &app) {
    const CLI::App* parent = command->get_parent();
    help = "longhaul " + (parent == nullptr || parent == &app ? "" : parent->get_name() + " ") +
           command->get_name() + " --help";
  }
  if (command != &app && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr &&
      !command->get_subcommands([](const CLI::App*) { return true; }).empty()) {
    return {ExitCode::kUsage,
            "longhaul " + command->get_name() +
                " does one of: " + longhaul::join(command_names(*command), ", "),
            "name one; see " + help};
  }
  const std::vector<std::string> extras = app.remaining(true);
  if (extras.empty()) {
    return {ExitCode::kUsage, error.what(), "see " + help};
  }
  const std::string word = extras.front().substr(0, extras.front().find('='));
  std::vector<std::string> known;
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& name : option->get_lnames()) {
      known.push_back("--" + name);
    }
  }
  const std::optional<std::string> near = longhaul::config::nearest_word(word, known);
  // What follows may hold a password.
  const std::size_t scheme = word.find("://");
  const std::string told = scheme == std::string::npos ? word : word.substr(0, scheme) + "://...";
  return {ExitCode::kUsage, "'" + longhaul::printable(told) + "' is not expected here",
          (near && word.starts_with('-') ? "did you mean " + *near + "? See " : "see ") + help};
}

// By flags that the chosen command has.
std::string memory_remedy(const CLI::App& app) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const auto has = [&chosen](const char* flag) {
    return !chosen.empty() && chosen.front()->get_option_no_throw(flag) != nullptr;
  };
  if (has("--batch-tokens")) {
    return "use a smaller --batch-tokens or --window";
  }
  for (const char* flag : {"--batch-rows", "--memory-limit"}) {
    if (has(flag)) {
      return std::string("use a smaller ") + flag + ", so that less is held at a time";
    }
  }
  return "where there is more, give the same command again";
}

int run(Context& context) {
  CLI::App app{"Embeds datasets of any size with a TorchScript encoder, in bounded memory."};
  app.name("longhaul");
  app.formatter(longhaul::app::help_formatter(longhaul::app::stdout_columns(context.environment)));
  app.set_help_flag("-h,--help", "print help and exit");
  app.set_help_all_flag("--help-all", "print help with all flags and exit");
  app.set_version_flag("-V,--version", longhaul::app::version_text(), "print versions and exit");
  app.require_subcommand(1);
  longhaul::app::add_commands(app, context);
  app.add_subcommand("help", "This help, or that of a command");
  app.add_subcommand("version", "The versions of the program and its libraries");
  std::vector<std::string> words = longhaul::app::without_help_words(context.arguments);
  if (words.size() < 2) {
    std::cerr << app.help();
    return longhaul::to_int(ExitCode::kUsage);
  }
  check_command(app, words);
  words.erase(words.begin());
  std::reverse(words.begin(), words.end());  // as the parser takes them
  try {
    app.parse(std::move(words));
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted);
  } catch (const CLI::ParseError& error) {
    throw usage_error(app, error);
  }
  longhaul::app::require_working_directory();
  try {
    return longhaul::to_int(context.chosen());
  } catch (const std::bad_alloc&) {
    throw Error(ExitCode::kMemory, "out of memory", memory_remedy(app));
  }
}

Error internal_error(const std::exception& error) {
  const std::string text = error.what();  // a library's may hold its stack, line by line
  return {ExitCode::kInternal, "internal error: " + text.substr(0, text.find('\n')),
          "please report it with the command that caused it"};
}

// What is thrown where nothing can catch it, as in a thread of a library's. What is committed
// stays.
[[noreturn]] void end_uncaught() {
  try {
    if (const std::exception_ptr thrown = std::current_exception()) {
      std::rethrow_exception(thrown);
    }
  } catch (const std::bad_alloc&) {
    constexpr std::string_view kLine =
        "longhaul: out of memory in a library, which cannot go on; where there is more, give the "
        "same command again\n";
    // Nothing here may allocate.
    [[maybe_unused]] const auto written = write(STDERR_FILENO, kLine.data(), kLine.size());
    std::_Exit(longhaul::to_int(ExitCode::kMemory));
  } catch (const std::exception& error) {
    fail({}, internal_error(error));
  }
  std::abort();
}

int run_to_end(int argc, char** argv) {
  longhaul::app::ignore_signals_of_writing();
  std::set_terminate(end_uncaught);
  Context context;
  context.environment = copy_environment();
  context.arguments.assign(argv, argv + argc);
  try {
    const int code = run(context);
    if (!std::cout.flush()) {
      throw Error(ExitCode::kIo, "standard output could not be written",
                  "nobody reads it any more, or its disk is full");
    }
    return code;
  } catch (const Error& error) {
    return fail(context, error);
  } catch (const std::bad_alloc&) {
    return fail(context, {ExitCode::kMemory, "out of memory before anything was begun",
                          "where there is more, give the same command again"});
  } catch (const std::exception& error) {
    return fail(context, internal_error(error));
  }
}

}  // namespace

int main(int argc, char** argv) {
  longhaul::app::open_standard_descriptors();
  const int code = run_to_end(argc, argv);
  std::fflush(nullptr);
  // Without static destructors: LibTorch takes a tenth of a second to forget its operators.
  std::_Exit(code);
}
