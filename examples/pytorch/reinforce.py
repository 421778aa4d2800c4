"""REINFORCE keeps a marble in a bowl: a stochastic policy, and gradients through log-probabilities."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(2, 16)
        self.dropout = nn.Dropout(p=0.2)
        self.affine2 = nn.Linear(16, 2)
        self.saved_log_probs, self.rewards = [], []

    def forward(self, x):
        return F.softmax(self.affine2(F.relu(self.dropout(self.affine1(x)))), dim=1)


def select_action(state):
    m = Categorical(policy(state.unsqueeze(0)))
    action = m.sample()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


def play(steps=25):
    place, speed = torch.randn(2).tolist()
    for _ in range(steps):
        action = select_action(torch.tensor([place, speed]))
        speed += 0.1 * (2 * action - 1) - 0.05 * place
        place += 0.1 * speed
        policy.rewards.append(1 - place * place)


def finish_episode():
    R, returns = 0.0, []
    for r in policy.rewards[::-1]:
        R = r + 0.99 * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + 1e-8)
    policy_loss = [-log_prob * R for log_prob, R in zip(policy.saved_log_probs, returns)]
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    total = sum(policy.rewards)
    del policy.rewards[:], policy.saved_log_probs[:]
    return policy_loss.item(), total


torch.manual_seed(543)
policy = Policy()
optimizer = optim.Adam(policy.parameters(), lr=1e-2)
for episode in range(5):
    play()
    loss, total = finish_episode()
    print(f"episode {episode}: loss {loss:.5f}, reward {total:.4f}")
