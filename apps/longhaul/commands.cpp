#include "command.hpp"

namespace longhaul::app {

void add_commands(CLI::App& app, Context& context) {
  add_embed(app, context);
  add_inspect(app, context);
  add_plan(app, context);
  add_merge(app, context);
  add_verify(app, context);
  add_diff(app, context);
  add_evaluate(app, context);
  add_probe(app, context);
  add_export(app, context);
  add_neighbours(app, context);
  add_push(app, context);
  add_report(app, context);
  add_bench(app, context);
  add_doctor(app, context);
  add_completion(app, context);
  add_man(app, context);
}

}  // namespace longhaul::app
