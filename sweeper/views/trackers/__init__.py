"""In other tools: Weights & Biases, Optuna, TensorBoard, Grafana."""
