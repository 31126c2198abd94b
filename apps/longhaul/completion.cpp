// `longhaul completion` and `longhaul man`: what a shell and man need to know of the program, made
// from the parser, on standard output.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "base/text.hpp"
#include "command.hpp"
#include "completion_scripts.hpp"
#include "man_page.hpp"

namespace longhaul::app {
namespace {

ExitCode complete(const std::string& shell, const std::vector<Command>& commands) {
  if (shell == "bash") {
    std::cout << bash_completion(commands);
  } else if (shell == "zsh") {
    std::cout << zsh_completion(commands);
  } else if (shell == "fish") {
    std::cout << fish_completion(commands);
  } else {
    throw Error(ExitCode::kUsage, "'" + printable(shell) + "' is no shell that is known here",
                "shells: bash, zsh, fish");
  }
  return ExitCode::kDone;
}

}  // namespace

void add_completion(CLI::App& app, Context& context) {
  const auto shell = std::make_shared<std::string>();  // owned by the parser's callback
  CLI::App* command = app.add_subcommand(
      "completion", "A shell's completion script, for bash, zsh or fish, on standard output");
  command->add_option("SHELL", *shell, "bash, zsh or fish")->required();
  command->footer(
      "bash: longhaul completion bash > ~/.local/share/bash-completion/completions/longhaul "
      "(where bash-completion is installed; else: source <(longhaul completion bash)). zsh: "
      "longhaul completion zsh > DIR/_longhaul, with DIR in fpath. fish: longhaul completion fish "
      "> ~/.config/fish/completions/longhaul.fish");
  command->callback([shell, &app, &context] {
    context.chosen = [shell, &app] { return complete(*shell, list_commands(app)); };
  });
}

void add_man(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("man", "The manual page, on standard output: longhaul man | man -l -");
  command->callback([&app, &context] {
    context.chosen = [&app] {
      std::cout << man_page(list_commands(app));
      return ExitCode::kDone;
    };
  });
}

}  // namespace longhaul::app
