/** Text that Terraform is to take as it is: `${` and `%{` begin its templates, doubled they are text. Pure. */
export function literal(text: string): string {
  // By a function: in a replacement text `$$` would be one dollar.
  return text.replace(/[$%](?=\{)/g, (sign) => sign + sign);
}
