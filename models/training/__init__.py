"""The bundled model's recipe: data, training, export, quantisation (extra ``nearword[train]``)."""
