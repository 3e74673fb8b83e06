"""The executables: nodes that connect topics to the pipeline, the demo, and the replay of bags."""
