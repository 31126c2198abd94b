// The commands of the program. Each has one file, which adds its subcommand to the parser; what the
// user chose is run by main() after parsing. Only files that build flags see the parser itself.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "console.hpp"

namespace CLI {
class App;
}

namespace longhaul::app {

// What main() hands to the commands. Lives as long as main().
struct Context {
  std::map<std::string, std::string> environment;  // a copy: nothing else reads the environment
  std::vector<std::string> arguments;              // the command line, for the resume hint
  std::function<ExitCode()> chosen;                // set by the subcommand that was given
  std::unique_ptr<Console> console;  // made by a command that logs; main() says failures through it
};

void add_embed(CLI::App& app, Context& context);
void add_inspect(CLI::App& app, Context& context);
void add_plan(CLI::App& app, Context& context);
void add_merge(CLI::App& app, Context& context);
void add_verify(CLI::App& app, Context& context);
void add_evaluate(CLI::App& app, Context& context);
void add_probe(CLI::App& app, Context& context);
void add_export(CLI::App& app, Context& context);
void add_push(CLI::App& app, Context& context);
void add_report(CLI::App& app, Context& context);
void add_bench(CLI::App& app, Context& context);
void add_diff(CLI::App& app, Context& context);
void add_neighbours(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context);
void add_man(CLI::App& app, Context& context);

// All of the above, in the order of --help.
void add_commands(CLI::App& app, Context& context);

}  // namespace longhaul::app
