"""A GPT-2 in Hugging Face's style: Conv1D, cache, weight tying, renamed checkpoint keys, generation strategies."""

import math
import re
from collections import OrderedDict
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.utils.checkpoint


@dataclass
class GPT2Config:
    vocab_size: int = 37
    n_positions: int = 32
    n_embd: int = 16
    n_layer: int = 2
    n_head: int = 4
    resid_pdrop: float = 0.1
    initializer_range: float = 0.02
    layer_norm_epsilon: float = 1e-05


@dataclass
class CausalLMOutput:
    loss: torch.FloatTensor | None = None
    logits: torch.FloatTensor = None
    past_key_values: tuple[tuple[torch.FloatTensor]] | None = None


class Conv1D(nn.Module):
    def __init__(self, nf, nx):
        super().__init__()
        self.nf = nf
        self.weight = nn.Parameter(torch.empty(nx, nf))
        self.bias = nn.Parameter(torch.zeros(nf))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x):
        size_out = (*x.size()[:-1], self.nf)
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(size_out)


class NewGELU(nn.Module):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return 0.5 * input * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (input + 0.044715 * torch.pow(input, 3.0))))


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.register_buffer(
            "bias",
            torch.tril(torch.ones((c.n_positions,) * 2, dtype=torch.bool)).view(1, 1, c.n_positions, c.n_positions),
            persistent=False,
        )
        self.register_buffer("masked_bias", torch.tensor(-10000.0), persistent=False)
        self.n_head, self.split_size = (c.n_head, c.n_embd)
        self.c_attn = Conv1D(3 * c.n_embd, c.n_embd)
        self.c_proj = Conv1D(c.n_embd, c.n_embd)
        self.drop = nn.Dropout(c.resid_pdrop)

    def _attn(self, q, k, v, attention_mask=None):
        w = torch.matmul(q, k.transpose(-1, -2)) / torch.full([], v.size(-1) ** 0.5, dtype=q.dtype, device=q.device)
        ql, kl = (q.size(-2), k.size(-2))
        causal = self.bias[:, :, kl - ql : kl, :kl]
        mask_value = torch.full([], torch.finfo(w.dtype).min, dtype=w.dtype, device=w.device)
        w = torch.where(causal, w.to(w.dtype), mask_value)
        if attention_mask is not None:
            w = w + attention_mask
        w = F.softmax(w, dim=-1).type(v.dtype)
        return (torch.matmul(w, v), w)

    def forward(self, h, layer_past=None, attention_mask=None, use_cache=False):
        def split(t):
            return t.view((*t.size()[:-1], self.n_head, t.size(-1) // self.n_head)).permute(0, 2, 1, 3)

        q, k, v = map(split, self.c_attn(h).split(self.split_size, dim=2))
        if layer_past is not None:
            k = torch.cat((layer_past[0], k), dim=-2)
            v = torch.cat((layer_past[1], v), dim=-2)
        a, _ = self._attn(q, k, v, attention_mask)
        a = a.permute(0, 2, 1, 3).contiguous()
        a = a.view((*a.size()[:-2], -1))
        return (self.drop(self.c_proj(a)), (k, v) if use_cache else None)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.ln_1 = nn.LayerNorm(c.n_embd, eps=c.layer_norm_epsilon)
        self.attn = Attention(c)
        self.ln_2 = nn.LayerNorm(c.n_embd, eps=c.layer_norm_epsilon)
        self.mlp = nn.ModuleDict(
            {
                "c_fc": Conv1D(4 * c.n_embd, c.n_embd),
                "c_proj": Conv1D(c.n_embd, 4 * c.n_embd),
                "act": NewGELU(),
                "dropout": nn.Dropout(c.resid_pdrop),
            }
        )

    def forward(self, x, layer_past=None, attention_mask=None, use_cache=False):
        a, p = self.attn(self.ln_1(x), layer_past, attention_mask, use_cache)
        x = x + a
        m = self.mlp
        return (x + m.dropout(m.c_proj(m.act(m.c_fc(self.ln_2(x))))), p)


class GPT2(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config = c
        self.gradient_checkpointing = False
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(c.vocab_size, c.n_embd),
                "wpe": nn.Embedding(c.n_positions, c.n_embd),
                "drop": nn.Dropout(c.resid_pdrop),
                "h": nn.ModuleList([Block(c) for _ in range(c.n_layer)]),
                "ln_f": nn.LayerNorm(c.n_embd),
            }
        )
        self.lm_head = nn.Linear(c.n_embd, c.vocab_size, bias=False)
        self.apply(self._init_weights)
        self.lm_head.weight = self.transformer.wte.weight
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):
                p.data.normal_(mean=0.0, std=c.initializer_range / math.sqrt(2 * c.n_layer))

    def _init_weights(self, m):
        if isinstance(m, (nn.Linear, Conv1D)):
            m.weight.data.normal_(mean=0.0, std=self.config.initializer_range)
            if m.bias is not None:
                m.bias.data.zero_()
        elif isinstance(m, nn.Embedding):
            m.weight.data.normal_(mean=0.0, std=self.config.initializer_range)
        elif isinstance(m, nn.LayerNorm):
            m.bias.data.zero_()
            m.weight.data.fill_(1.0)

    def forward(
        self,
        input_ids: torch.LongTensor,
        past=None,
        attention_mask: torch.FloatTensor | None = None,
        labels=None,
        use_cache=None,
    ):
        past_len = 0 if past is None else past[0][0].size(-2)
        pos = (
            torch.arange(past_len, input_ids.shape[-1] + past_len, dtype=torch.long, device=input_ids.device)
            .unsqueeze(0)
            .view(-1, input_ids.shape[-1])
        )
        if attention_mask is not None:
            attention_mask = attention_mask[:, None, None, :].to(dtype=self.transformer.wte.weight.dtype)
            attention_mask = (1.0 - attention_mask) * torch.finfo(attention_mask.dtype).min
        x = self.transformer.drop(self.transformer.wte(input_ids) + self.transformer.wpe(pos))
        presents = ()
        for i, b in enumerate(self.transformer.h):
            if self.gradient_checkpointing and self.training:
                x, p = torch.utils.checkpoint.checkpoint(b, x, None, attention_mask, False, use_reentrant=False)
            else:
                x, p = b(x, past[i] if past else None, attention_mask, use_cache)
            if use_cache:
                presents += (p,)
        logits = self.lm_head(self.transformer.ln_f(x))
        loss = None
        if labels is not None:
            loss = nn.CrossEntropyLoss()(
                logits[..., :-1, :].contiguous().view(-1, logits.size(-1)), labels[..., 1:].contiguous().view(-1)
            )
        return CausalLMOutput(loss=loss, logits=logits, past_key_values=presents or None)


def top_k_top_p_filtering(logits, top_k=0, top_p=1.0, filter_value=-float("Inf"), min_tokens_to_keep=1):
    if top_k > 0:
        logits[logits < torch.topk(logits, min(max(top_k, min_tokens_to_keep), logits.size(-1)))[0][..., -1, None]] = (
            filter_value
        )
    if top_p < 1.0:
        sl, si = torch.sort(logits, descending=True)
        cp = torch.cumsum(F.softmax(sl, dim=-1), dim=-1)
        rem = cp > top_p
        rem[..., 1:] = rem[..., :-1].clone()
        rem[..., 0] = 0
        logits[rem.scatter(1, si, rem)] = filter_value
    return logits


@torch.no_grad()
def generate(m, ids, n=8, temperature=1.0, top_k=0, top_p=1.0, do_sample=True, rep=1.3):
    past = None
    cur = ids
    unfinished = ids.new(ids.shape[0]).fill_(1)
    for _ in range(n):
        o = m(cur, past=past, use_cache=True)
        past = o.past_key_values
        l = o.logits[:, -1, :] / temperature
        s = torch.gather(l, 1, ids)
        s = torch.where(s < 0, s * rep, s / rep)
        l.scatter_(1, ids, s)
        l = top_k_top_p_filtering(l, top_k, top_p)
        nxt = (
            torch.multinomial(F.softmax(l, dim=-1), num_samples=1).squeeze(1) if do_sample else torch.argmax(l, dim=-1)
        )
        nxt = nxt * unfinished + 36 * (1 - unfinished)
        ids = torch.cat([ids, nxt[:, None]], dim=-1)
        unfinished = unfinished.mul((nxt != 5).long())
        cur = nxt[:, None]
        if unfinished.max() == 0:
            break
    return ids


@torch.no_grad()
def beam(m, ids, n=6, B=3):
    bs = ids.shape[0]
    ids = ids.repeat_interleave(B, 0)
    sc = torch.zeros((bs, B))
    sc[:, 1:] = -1000000000.0
    sc = sc.view(-1)
    for _ in range(n):
        lp = F.log_softmax(m(ids).logits[:, -1], -1) + sc[:, None]
        V = lp.size(-1)
        ts, ti = torch.topk(lp.view(bs, B * V), 2 * B, dim=1, largest=True, sorted=True)
        bi = torch.div(ti, V, rounding_mode="floor")
        tok = ti % V
        idx = (bi[:, :B] + torch.arange(bs)[:, None] * B).view(-1)
        ids = torch.cat([ids[idx], tok[:, :B].reshape(-1, 1)], -1)
        sc = ts[:, :B].reshape(-1)
    return (ids.view(bs, B, -1), sc.view(bs, B))


torch.manual_seed(1)
m = GPT2(GPT2Config())
print(m)
print(sum(p.numel() for p in m.parameters()), len(m.state_dict()))
ids = torch.randint(0, 37, (3, 12))
am = torch.ones_like(ids)
am[0, :3] = 0
labels = ids.clone()
labels[am == 0] = -100
no_decay = ["bias", "ln_"]
groups = [
    {"params": [p for n, p in m.named_parameters() if not any(nd in n for nd in no_decay)], "weight_decay": 0.1},
    {"params": [p for n, p in m.named_parameters() if any(nd in n for nd in no_decay)], "weight_decay": 0.0},
]
opt = torch.optim.AdamW(groups, lr=0.003, betas=(0.9, 0.95))
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(1, (s + 1) / 3))
for s in range(5):
    m.gradient_checkpointing = s % 2 == 1
    o = m(ids, attention_mask=am, labels=labels)
    o.loss.backward()
    gn = torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
    opt.step()
    sched.step()
    opt.zero_grad(set_to_none=True)
    print(f"{s} {o.loss.item():.6f} {gn:.5f} {sched.get_last_lr()}")
m.eval()
print(generate(m, ids[:, :4], top_k=5))
print(generate(m, ids[:, :4], top_p=0.7, temperature=0.8))
print(generate(m, ids[:, :4], do_sample=False))
print(*beam(m, ids[:2, :4]))
old = OrderedDict(
    (
        (k.replace("transformer.", "").replace("ln_1.weight", "ln_1.gamma"), v.clone())
        for k, v in m.state_dict().items()
        if not k.startswith("lm_head")
    )
)
new = {}
for k, v in old.items():
    k = re.sub("gamma$", "weight", k)
    new["transformer." + k] = v
m2 = GPT2(m.config)
r = m2.load_state_dict(new, strict=False)
print(
    r,
    r.missing_keys,
    torch.equal(m2(ids).logits, m(ids).logits) or torch.allclose(m2.eval()(ids).logits, m(ids).logits),
)
try:
    m2.load_state_dict({**new, "extra": torch.ones(1), "transformer.ln_f.weight": torch.ones(3)})
except RuntimeError as e:
    print(e)
