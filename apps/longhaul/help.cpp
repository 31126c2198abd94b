#include "help.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "terminal_text.hpp"

namespace longhaul::app {
namespace {

constexpr std::size_t kNameColumns = 30;

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::size_t columns)
      : columns_(columns), name_columns_(std::min(kNameColumns, columns / 2)) {}

  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    const bool all = mode == CLI::AppFormatMode::All;
    // The commands of a command are listed, not spelt out.
    std::string out = make_description(app) + make_usage(app, name) + make_positionals(app) +
                      (all ? grouped_options(app) : daily_options(app)) +
                      make_subcommands(app, CLI::AppFormatMode::Normal);
    if (!all && !options_of(app, true).empty()) {
      out += "\n" + paragraph("All flags: " + name + " --help-all");
    }
    return out + make_footer(app);
  }
  std::string make_description(const CLI::App* app) const override {
    return app->get_description().empty() ? "" : paragraph(app->get_description());
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = Formatter::make_usage(app, std::move(name));
    usage.erase(usage.find_last_not_of('\n') + 1);
    return filled(usage, columns_, 2, 0) + "\n";
  }
  std::string make_footer(const CLI::App* app) const override {
    const std::string footer = app->get_footer();
    return footer.empty() ? "" : "\n" + paragraph(footer);
  }
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    return entry(make_option_name(option, is_positional) + make_option_opts(option),
                 make_option_desc(option));
  }
  std::string make_subcommand(const CLI::App* command) const override {
    return entry(command->get_display_name(true), command->get_description());
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_positional() ? "" : option->get_type_name();
    return (type.empty() ? "" : " " + type) +
           (option->get_positional() && option->get_expected_max() > 1 ? " ..." : "");
  }

 private:
  static bool is_hidden(const CLI::Option* option) {
    return option->get_group().starts_with(kOnlyInHelpAll);
  }

  static std::string heading(const CLI::Option* option) {
    return option->get_group().substr(is_hidden(option) ? 1 : 0);
  }

  static std::vector<const CLI::Option*> options_of(const CLI::App* app, bool hidden) {
    return app->get_options([hidden](const CLI::Option* option) {
      return option->nonpositional() && !option->get_group().empty() && is_hidden(option) == hidden;
    });
  }

  std::string daily_options(const CLI::App* app) const {
    return make_group("Options", false, options_of(app, false));
  }

  std::string grouped_options(const CLI::App* app) const {
    std::vector<std::string> headings;
    for (const std::string& group : app->get_groups()) {
      const std::string name = group.substr(group.starts_with(kOnlyInHelpAll) ? 1 : 0);
      if (!name.empty() && std::find(headings.begin(), headings.end(), name) == headings.end()) {
        headings.push_back(name);
      }
    }
    std::string out;
    for (const std::string& name : headings) {
      const std::vector<const CLI::Option*> options =
          app->get_options([&](const CLI::Option* option) {
            return option->nonpositional() && heading(option) == name;
          });
      out += options.empty() ? "" : make_group(name, false, options);
    }
    return out;
  }

  std::string paragraph(const std::string& text) const {
    return filled(text, columns_, 0, 0) + "\n";
  }

  std::string entry(const std::string& name, const std::string& text) const {
    std::string out = "  " + name;
    if (out.size() + 2 > name_columns_) {
      out += "\n" + std::string(name_columns_, ' ');
    } else {
      out.resize(name_columns_, ' ');
    }
    return out + filled(text, columns_, name_columns_, name_columns_) + "\n";
  }

  const std::size_t columns_;
  const std::size_t name_columns_;
};

}  // namespace

std::shared_ptr<CLI::Formatter> help_formatter(std::size_t columns) {
  return std::make_shared<HelpFormatter>(columns);
}

std::vector<std::string> without_help_words(std::vector<std::string> arguments) {
  if (arguments.size() < 2) {
    return arguments;
  }
  if (arguments[1] == "version") {
    arguments[1] = "--version";
  } else if (arguments[1] == "help") {
    arguments.erase(arguments.begin() + 1);
    arguments.emplace_back("--help");
  }
  return arguments;
}

}  // namespace longhaul::app
