"""Print the raw bindings of an app's functions: ``python index_functions.py APP_DIR``.

They are what a worker with this interpreter's azure-functions would report: of each function, by its name,
the members of its ``function.json``.

Source: Functions in Python spec, section 2.
"""

import importlib
import json
import sys

sys.path.append(sys.argv[1])
functions = importlib.import_module("function_app").app.get_functions()
documents = {each.get_function_name(): json.loads(each.get_function_json()) for each in functions}
sys.stdout.write(json.dumps({name: document["bindings"] for name, document in documents.items()}))
