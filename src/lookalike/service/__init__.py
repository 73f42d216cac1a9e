"""The product over HTTP: routes in `search`, `products` and `status`, what they speak in `schemas`, put together in `app`."""
