"""Networks: pure `nn.Module`s."""
